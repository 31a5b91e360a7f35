"""The example application: three small, real services that own what faults in storage and components are about.

`python -m console.lab.services.stack store|database|jobs`. It runs with the console's Python in the embedded lab and
with Debian's own on machines, from the standard library and one storage library each.
"""
