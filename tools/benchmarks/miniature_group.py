"""What a group of ``miniature.py`` is: variants of small detectors and claims about them."""

from dataclasses import dataclass, field

from mmtad.datasets.synthetic_features import SyntheticFeatureSpec
from mmtad.datasets.synthetic_plan import SyntheticSpec


@dataclass(frozen=True)
class Variant:
    """One row of a group: what it is and how its config differs from the group's."""

    about: str
    overrides: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """One metric of one variant is above the same of another, or above another metric.

    Args:
        better: Name of a variant.
        worse: Name of a variant.
        text: What it says.
        metric: What is compared.
        worse_metric: The metric of ``worse``, if it is another one.
    """

    better: str
    worse: str
    text: str
    metric: str = "mAP"
    worse_metric: str | None = None

    @property
    def sides(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """(variant, metric) of the better and of the worse."""
        return (self.better, self.metric), (self.worse, self.worse_metric or self.metric)


@dataclass(frozen=True)
class Group:
    """Variants to compare.

    Args:
        about: One sentence.
        config: The config that all variants start from, relative to ``configs/``.
        variants: By name.
        claims: What to look for.
        spec: Kind of the generated data set.
        data: Settings of ``spec`` beside the seed.
        overrides: What the group changes in ``config``; keys with dots, as ``--cfg-options``.
        pretrain: Config of the backbone's pre-training, or None.
        pretrain_overrides: As ``overrides``, for ``pretrain``.
        metrics: Fractions to show in percent.
        layer_metrics: Beginning of the names of metrics of layers, to show as they are; None for
            none.
    """

    about: str
    config: str
    variants: dict[str, Variant]
    claims: list[Claim]
    spec: type[SyntheticSpec] | type[SyntheticFeatureSpec] = SyntheticSpec
    data: dict = field(default_factory=dict)
    overrides: dict = field(default_factory=dict)
    pretrain: str | None = None
    pretrain_overrides: dict = field(default_factory=dict)
    metrics: tuple[str, ...] = ("mAP",)
    layer_metrics: str | None = None
