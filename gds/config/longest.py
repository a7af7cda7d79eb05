"""What the kernel takes as one word of a command, or as one variable: MAX_ARG_STRLEN of execve(2), which is 32 pages
with the final NUL. A longer one could be declared and never started.
"""

from __future__ import annotations

from gds.config.refusal import refused

LONGEST = 131_071
"""Bytes, without the NUL."""


def check_word(word: str, *at: int) -> None:
    """One word of a command, or the whole of a shell string; `at`: which word. Raises the refusal."""
    if "\0" in word:
        raise refused("a command may not hold the character NUL (\\u0000)", *at)
    if (size := _size(word)) > LONGEST:
        what = "a word of a command" if at else "a command"
        hint = "" if at else "; put it into a script"
        raise refused(f"{what} may have at most {LONGEST} bytes (the kernel takes no more), not {size}{hint}", *at)


def variables(environment: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """The variables, sorted. The value itself is never shown: people keep secrets there. Raises the refusal."""
    for name, value in environment.items():
        if (size := _size(f"{name}={value}")) > LONGEST:
            raise refused(
                f"a variable may have at most {LONGEST} bytes with its name (the kernel takes no more), not {size}",
                name,
            )
    return tuple(sorted(environment.items()))


def _size(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))
