"""The small program that delays a port: a proxy, and the question how long a round trip through the port takes."""

from __future__ import annotations

PROXY = """\
import queue, socket, struct, sys, threading, time
port, delay, sign = int(sys.argv[1]), float(sys.argv[2]) / 1000, int(sys.argv[3])
def deliver(held, sink, ends):  # what was held reaches the sink when its time has come
    data = b"-"
    while data:
        due, data = held.get()
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            if callable(data): data()
            elif data: sink.sendall(data)
            else: sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in ends: cut(end)
            while data: _, data = held.get()
def cut(end):
    try: end.shutdown(socket.SHUT_RDWR)
    except OSError: pass
def carry(source, sink, wait, first=None):
    held = queue.Queue(64)
    if first: held.put((0, first))
    out = threading.Thread(target=deliver, args=(held, sink, (source, sink)), daemon=True)
    out.start()
    data = b"-"
    while data:
        try: data = source.recv(65536)
        except OSError: data = b""
        held.put((time.monotonic() + wait, data))
    out.join()
def link(client, family):
    level, form, size = (41, "!2xH4x16s4x", 28) if family == socket.AF_INET6 else (0, "!2xH4s8x", 16)
    to_port, to = struct.unpack(form, client.getsockopt(level, 80, size))  # SO_ORIGINAL_DST
    if to_port != port: return  # not one that was redirected to us
    server = socket.socket(family)
    server.setsockopt(socket.SOL_SOCKET, 36, sign)  # SO_MARK: our own connections are not redirected
    back = threading.Thread(target=carry, args=(server, client, delay), daemon=True)
    def connect():
        server.connect((socket.inet_ntop(family, to), port))
        back.start()
    carry(client, server, 0, connect)  # only what comes back is late
    if back.ident: back.join()
    server.close()
def whole(client, family):
    try: link(client, family)
    finally: cut(client); client.close()
def serve(listener, family):
    while True:
        client, _ = listener.accept()
        threading.Thread(target=whole, args=(client, family), daemon=True).start()
ports = []
for family, name in ((socket.AF_INET, ""), (socket.AF_INET6, "::")):
    try: listener = socket.create_server((name, 0), family=family, backlog=512)
    except OSError:
        if family == socket.AF_INET: raise
        ports.append(0); continue
    ports.append(listener.getsockname()[1])
    threading.Thread(target=serve, args=(listener, family)).start()
print(*ports, flush=True)
"""

ASK = """\
import socket, sys, time
address, port, limit = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
began = time.monotonic()
try:
    with socket.create_connection((address, port), limit) as link:
        link.shutdown(socket.SHUT_WR)  # whoever serves it says something, or ends too
        link.recv(1)
except ConnectionRefusedError: sys.exit("a connect is refused")
except TimeoutError: sys.exit("nothing came back within %g s" % limit)
except OSError as error: sys.exit(str(error))
print(round(1000 * (time.monotonic() - began)))
"""
