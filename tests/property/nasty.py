"""Text that tries to be something else, for every test that shows some."""

from hypothesis import strategies as st

from bench import synthetic

__all__ = ["NASTY", "nasty"]

NASTY = (
    *synthetic.HOSTILE,
    "</title></td></script><script>alert(1)</script>",
    "\"'><svg onload=alert(1)>",
    "<!--",
    "]]>",
    "&lt;b&gt; &amp;amp; &#0; &#x202e; &nbsp",
    "{{ 7 * 7 }} {% for x in y %} \\VAR{name} \\BLOCK{if x}",
    "\\immediate\\write18{id} ^^5cinput{x} ^^M \\end{document} \\verb|x|",
    "*star [option] ,,low'' <<guillemets>> !` ?` --- ``x''",
    "@SUM(A1) ;=1+1 \t=2+2 | +3",
    "'=1+1",
    ' "=1+1"',
    "\uff1d1+1",
    "\ufeff=1+1",
    "a\u202eb\u2066c\u200fd\u061ce\u00adf\u2028g\x85h\x7fi\x9bj\x00k",
    "\u05e9\u05dc\u05d5\u05dd \u0639\u0631\u0628\u0649",
    "e" + "\u0301" * 60,
    "caf\udce9 \ud800",
    "[red]x[/] [/] \\[bold] :warning:",
    "CON",
    "nul.txt",
    ". . .",
    "-rf",
    "~root",
)

_parts = st.sampled_from(
    [*NASTY, *"<>&\"'`\\{}$#%_^~-*[]()|,;:!?=+@/ \t\r\n", "\u202e", "\x1b", "--", ",,", "^^", "</"]
)
nasty = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(), max_size=40),  # halves of surrogate pairs too
    st.lists(_parts | st.text(max_size=4), max_size=8).map("".join),
)
