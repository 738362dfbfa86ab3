"""What all transforms of a pipeline have in common."""

from abc import ABCMeta, abstractmethod
from typing import Any


class Transform(metaclass=ABCMeta):
    """A callable step of a pipeline: takes the dict of a sample, changes it, and returns it.

    Random steps draw from ``results["rng"]`` (a numpy ``Generator``) and from nothing else.
    """

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Apply the step; MMEngine's ``Compose`` calls this."""
        return self.transform(results)

    @abstractmethod
    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change the sample."""

    def __repr__(self) -> str:
        values = ", ".join(
            f"{name}={value!r}" for name, value in vars(self).items() if name[0] != "_"
        )
        return f"{type(self).__name__}({values})"
