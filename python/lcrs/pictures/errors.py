"""What is wrong with a picture, and which choice of the caller helps."""

from __future__ import annotations

__all__ = ["PictureError"]

NO_INKS = (
    "image is CMYK without a profile that says what its inks look like: "
    "convert it to RGB with a program that knows"
)


class PictureError(ValueError):
    """A picture that is damaged, too large, or holds what the call does not say what to do with.

    Args:
        problem: one line that names what is wrong.
        choice: the keyword that helps, as functions have it.
        value: a value for it.
        purpose: what that does.
    """

    def __init__(self, problem: str, choice: str = "", value: object = None, purpose: str = "") -> None:
        self.problem, self.choice, self.value, self.purpose = problem, choice, value, purpose
        advice = f": pass {choice}={value!r} {purpose}" if choice else ""
        super().__init__(f"{problem}{advice}")

    def for_command_line(self) -> str:
        """The same in the words of the command line."""
        if not self.choice:
            return self.problem
        option = f"--{self.choice.replace('_', '-')}"
        return f"{self.problem}: {option if self.value is True else f'{option} {self.value}'} {self.purpose}"

    def __reduce__(self) -> tuple[type[PictureError], tuple[object, ...]]:
        return type(self), (self.problem, self.choice, self.value, self.purpose)
