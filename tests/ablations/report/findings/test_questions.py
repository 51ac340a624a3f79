"""The three questions: one answer where one configuration is best at all, else the price of each."""

from ablations.analysis.grid import Grid
from ablations.records.record import Record
from ablations.report.findings import answer
from ablations.report.headlines import headlines


def trials(mse: float, elbo: float | None, frechet: float | None, **axes: object) -> list[Record]:
    metrics = {"mse": mse, "elbo": elbo, "frechet_pca": frechet, "frechet_pca_floor": 0.1, "pca_mse": 0.02}
    return [
        Record(
            f"{axes}-{seed}",
            "",
            {"model": "conv", **axes, "seed": seed},
            "done",
            data={"name": "digits"},
            metrics={name: value and value * (1 + seed / 1000) for name, value in metrics.items()},
            timings={"train_seconds": 1.0},
        )
        for seed in range(3)
    ]


def told(records: list[Record], **options: object) -> dict[str, str]:
    (one,) = answer(Grid.of(records, **options), {})
    return {item.lead: item.text.replace("\xa0", " ") for item in one.statements}


APART = [
    *trials(0.010, -300.0, 3.0, kl_weight=1e-4, latent_dim=16),
    *trials(0.011, -200.0, 2.0, kl_weight=1e-2, latent_dim=16),
    *trials(0.012, -250.0, 1.0, kl_weight=1e-1, latent_dim=16),
]


def test_where_they_differ_the_first_sentence_names_each_and_the_price() -> None:
    text = told(APART)["The best"]
    assert text == (
        "KL weight 0.0001 reconstructs best; KL weight 0.01 models the data best; KL weight 0.1 samples best. "
        "What reconstructs best has 200 % more Fréchet distance (PCA); what samples best has 20 % more MSE."
    )
    (head,) = headlines(answer(Grid.of(APART), {}))
    assert head.text.replace("\xa0", " ") == text


def test_what_the_winners_share_is_said_once() -> None:
    records = [*APART, *trials(0.05, -900.0, 9.0, kl_weight=1e-4, latent_dim=2)]
    assert told(records)["The best"].startswith("Of latent size 16: KL weight 0.0001 reconstructs best; KL weight")


def test_one_may_answer_all() -> None:
    records = [*APART, *trials(0.009, -100.0, 0.5, kl_weight=1.0, latent_dim=16)]
    text = told(records)["The best"]
    assert text.startswith("KL weight 1 answers all: it reconstructs best (MSE 0.00901")
    assert "models the data best (ELBO −100.1 ± 0.1 nats) and samples best" in text  # noqa: RUF001


def test_each_question_has_its_own_best_and_its_floor() -> None:
    found = told(APART)
    assert found["Highest ELBO"].startswith("KL weight 0.01: ")
    assert (
        "Training images in the place of samples reach 0.1001"
        in found["Lowest Fréchet distance (principal components)"]
    )


def test_reconstruction_is_judged_as_the_study_says_and_nothing_is_made_up() -> None:
    assert "reconstructs" not in told(APART, metrics=("elbo",))["The best"]
    assert "The best" not in told(trials(0.010, None, None, kl_weight=1e-4))
    bare = [*trials(0.010, None, None, kl_weight=1e-4), *trials(0.02, None, None, kl_weight=1e-3)]
    assert "The best" not in told(bare), "one question needs no such sentence"
