"""Our themes, and the colours of the chunk strip as theme variables.

The hues are those of Okabe and Ito (Color Universal Design, 2008), which the common colour-blindnesses can tell apart;
darker shades of them on light ground. Every state has its own sign as well, so none depends on its colour.
"""

from textual.theme import Theme

_DARK = {
    "chunk-pending": "#6C7680",
    "chunk-running": "#56B4E9",
    "chunk-done": "#009E73",
    "chunk-retried": "#F0E442",
    "chunk-degraded": "#E69F00",
    "chunk-failed": "#D55E00",
    "chunk-silence": "#4F6D8F",
    "chunk-unheard": "#39424D",
    "line-dim": "#8A95A1",
    "line-faint": "#4A5561",
    "line-graph": "#7FA6C9",
    "line-limit": "#8A6A26",
    "line-selected": "#22303C",
}
_LIGHT = {
    "chunk-pending": "#7D8790",
    "chunk-running": "#0072B2",
    "chunk-done": "#008A63",
    "chunk-retried": "#8F8500",
    "chunk-degraded": "#B07600",
    "chunk-failed": "#B84A00",
    "chunk-silence": "#6C8AAD",
    "chunk-unheard": "#C4CBD2",
    "line-dim": "#5C6670",
    "line-faint": "#B3BBC3",
    "line-graph": "#3F6E97",
    "line-limit": "#C9A24E",
    "line-selected": "#DCE6EF",
}
_ANSI = {
    "chunk-pending": "ansi_bright_black",
    "chunk-running": "ansi_cyan",
    "chunk-done": "ansi_green",
    "chunk-retried": "ansi_yellow",
    "chunk-degraded": "ansi_magenta",
    "chunk-failed": "ansi_red",
    "chunk-silence": "ansi_blue",
    "chunk-unheard": "ansi_bright_black",
    "line-dim": "ansi_bright_black",
    "line-faint": "ansi_bright_black",
    "line-graph": "ansi_blue",
    "line-limit": "ansi_yellow",
    "line-selected": "ansi_default",
    "ansi-background": "ansi_black",
    "ansi-foreground": "ansi_white",
    "border": "ansi_cyan",
    "border-blurred": "ansi_bright_black",
    "block-cursor-foreground": "ansi_black",
    "block-cursor-background": "ansi_cyan",
    "footer-key-foreground": "ansi_cyan",
    "input-cursor-text-style": "reverse",
    "input-selection-background": "ansi_cyan",
    "input-selection-foreground": "ansi_black",
}

FALLBACK = _DARK
"""The variables for themes that are not ours."""

DARK = Theme(
    name="scribetui-dark",
    primary="#56B4E9",
    secondary="#7FA6C9",
    accent="#E69F00",
    success="#00B386",
    warning="#E69F00",
    error="#F0703C",
    foreground="#D5DCE3",
    background="#11161B",
    surface="#182028",
    panel="#1B242D",
    variables=_DARK | {"footer-key-foreground": "#56B4E9", "input-selection-background": "#56B4E9 35%"},
)
LIGHT = Theme(
    name="scribetui-light",
    primary="#0072B2",
    secondary="#3F6E97",
    accent="#B07600",
    success="#007F5B",
    warning="#A86A00",
    error="#B84A00",
    foreground="#1B232B",
    background="#F7F8F9",
    surface="#ECEFF2",
    panel="#E4E9ED",
    dark=False,
    variables=_LIGHT | {"footer-key-foreground": "#0072B2"},
)
ANSI = Theme(
    name="scribetui-ansi",
    ansi=True,
    primary="ansi_cyan",
    secondary="ansi_blue",
    accent="ansi_yellow",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    variables=_ANSI,
)

THEMES = (DARK, LIGHT, ANSI)
