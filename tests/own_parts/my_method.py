"""A training method of one's own: the likelihood and a focal loss."""

from dataclasses import dataclass

from errata import FORMATS, Control, Knobs, Likelihood, Method, Part, Term, Training, option, reading


class Focal(Term):
    """Focal loss: tokens that the student is sure of count less, by (1 - p) ** gamma (arXiv 1708.02002, eq. 4)."""

    gamma: float = 2.0
    reads: tuple[str, ...] = ("right",)

    def parts(self):
        return (Part("focal", self.weight),)

    def _mask(self, batch):
        return reading(batch, self.reads)[:, None] * batch["labels"][:, 1:].ne(-100)

    def counts(self, batch):
        return [self._mask(batch).sum()]

    def sums(self, forward, batch):
        p_BT = forward.logp_BT.exp()
        return [-(self._mask(batch) * (1 - p_BT) ** self.gamma * forward.logp_BT).sum()]


@dataclass(frozen=True)
class FocalKnobs(Knobs):
    gamma: float = option(2.0, "How much less a sure token counts.")
    share: float = option(0.5, "Of the focal loss; the rest is the likelihood's.")


@dataclass
class FocalTraining(Training):
    learning_rate: float = 3e-3


def terms(knobs):
    return Likelihood(weight=1 - knobs.share), Focal(weight=knobs.share, gamma=knobs.gamma)


METHOD = Method(
    name="focal",
    help="Right rationales, hard tokens first.",
    format=next(each for each in FORMATS if each.name == "sft"),
    terms=terms,
    knobs=FocalKnobs,
    training=FocalTraining,
    controls=(Control("gamma_zero", "the likelihood alone, twice", knobs={"gamma": 0.0}),),
)
NOT_A_METHOD = "focal"
