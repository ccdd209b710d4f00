"""What a trial found: said as it comes, and counted."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is wrong, and what could not be looked at.

    Attributes:
        wrong: What is not as it should be.
        not_checked: What nobody looked at.
    """

    wrong: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)

    def expect(self, is_so: object, what: str, *, found: object = "") -> None:
        """Say that something is so; keep it, and say what was found instead, if it is not."""
        self._print("ok   " if is_so else "WRONG", what)
        if not is_so:
            self.wrong.append(what)
            self._print("     ", f"found: {found}")

    def say(self, what: str) -> None:
        """Say a figure, or what is being done."""
        self._print("     ", what)

    @staticmethod
    def _print(mark: str, text: str) -> None:
        print(f"{mark} {text}", flush=True)
