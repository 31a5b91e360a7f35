"""Two calm themes. Colour comes last: everything is also said by a glyph and a word."""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

DARK: Final = Theme(
    name="gameday-dark",
    primary="#7fb4ca",
    secondary="#8ea4a2",
    accent="#e6c384",
    warning="#e6b450",
    error="#f2777a",
    success="#9ccc7a",
    foreground="#dfe3e8",
    background="#12161c",
    surface="#181d25",
    panel="#222935",
    dark=True,
    variables={
        "border": "#7fb4ca",
        "border-blurred": "#333c4a",
        "text-success": "#9ccc7a",
        "text-warning": "#e6b450",
        "text-error": "#f2777a",
        "text-muted": "#8b95a5",
        "text-primary": "#7fb4ca",
        "footer-background": "#181d25",
        "footer-key-foreground": "#e6c384",
        "block-cursor-background": "#2c3a4a",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-blurred-background": "#222935",
        "block-cursor-blurred-foreground": "#dfe3e8",
        "input-selection-background": "#7fb4ca 35%",
    },
)

LIGHT: Final = Theme(
    name="gameday-light",
    primary="#1f6587",
    secondary="#4e6a68",
    accent="#8a5a00",
    warning="#8a5a00",
    error="#b3261e",
    success="#2f6f2b",
    foreground="#1f2630",
    background="#f6f4ee",
    surface="#fffdf8",
    panel="#e9e5da",
    dark=False,
    variables={
        "border": "#1f6587",
        "border-blurred": "#cfc9ba",
        "text-success": "#2f6f2b",
        "text-warning": "#8a5a00",
        "text-error": "#b3261e",
        "text-muted": "#6a6f78",
        "text-primary": "#1f6587",
        "footer-background": "#e9e5da",
        "footer-key-foreground": "#8a5a00",
        "block-cursor-background": "#d5e3ea",
        "block-cursor-foreground": "#10161d",
        "block-cursor-blurred-background": "#e9e5da",
        "block-cursor-blurred-foreground": "#1f2630",
        "input-selection-background": "#1f6587 30%",
    },
)
