"""What changed between folders: matched by settings, judged by tolerance and interval, and a code to exit with."""

import base64
import csv
import hashlib
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablations.analysis.changes import ALL, MetricChange, compare, half_width, judge
from ablations.cli import main
from ablations.records.record import Record
from ablations.records.store import Store
from ablations.report.comparison import as_csv, as_html, as_markdown, views
from vae.errors import SpecError

Save = Callable[[str, Sequence[Record]], Path]
BEFORE = {2: (0.10, 0.11, 0.12), 8: (0.05, 0.05, 0.05)}


def trial(latent: object, seed: int, **metrics: float | None) -> Record:
    axes = {"latent_dim": latent, "seed": seed}
    facts = {"data": {"name": "digits"}, "spec": {"model": {"name": "dense"}}, "finished": "2025-01-01T00:00:00"}
    return Record(f"t{latent}-{seed}", "0" * 64, axes, "done", metrics={"kl": 3.0, **metrics}, **facts)


def trials(table: dict[int, tuple[float, ...]], **more: float) -> list[Record]:
    return [trial(size, seed, mse=mse, **more) for size, values in table.items() for seed, mse in enumerate(values)]


def broken(record: Record, status: str = "diverged", reason: str = "loss is NaN") -> Record:
    return replace(record, status=status, reason=reason, metrics={})


@pytest.fixture
def save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Save:
    monkeypatch.chdir(tmp_path)

    def write(name: str, records: Sequence[Record]) -> Path:
        store = Store(tmp_path / name)
        store.create()
        for record in records:
            with store.commit(record.trial) as draft:
                draft.write_record(record)
        return store.root

    return write


def row(changes: Sequence[MetricChange], configuration: str, metric: str = "mse") -> MetricChange:
    (found,) = (one for one in changes if (one.configuration, one.metric) == (configuration, metric))
    return found


def test_differences_are_paired_by_seed_and_have_a_t_interval(save: Save) -> None:
    before = save("before", trials(BEFORE))
    after = save("after", trials({2: (0.112, 0.120, 0.134), 8: (0.05, 0.05, 0.05)}))
    found = compare([before, after], ["mse"])
    one = row(found.changes, "latent size 2")
    assert (one.pairs, one.before, one.after) == (3, pytest.approx(0.11), pytest.approx(0.122))
    # Differences 0.012, 0.010, 0.014: mean 0.012, standard deviation 0.002; t(0.975, 2) = 4.302652729911275.
    assert one.relative == pytest.approx(0.012 / 0.11)
    assert one.half == pytest.approx(4.302652729911275 * 0.002 / math.sqrt(3) / 0.11)
    assert one.verdict == "worse"
    same = row(found.changes, "latent size 8")
    assert (same.relative, same.half, same.verdict) == (0, 0, "same")
    overall = row(found.changes, ALL)
    assert (overall.pairs, overall.relative, overall.verdict) == (2, pytest.approx(0.006 / 0.11), "unresolved")
    assert found.worsened


@pytest.mark.parametrize(
    ("relative", "half", "better", "verdict"),
    [
        (0.08, 0.02, "lower", "worse"),
        (0.08, 0.02, "higher", "better"),
        (-0.08, 0.02, "lower", "better"),
        (-0.08, 0.02, "higher", "worse"),
        (0.08, 0.02, "neither", "differs"),
        (0.08, 0.08, "lower", "unresolved"),  # the interval touches zero
        (0.05, 0.0, "lower", "same"),  # the tolerance itself is tolerated
        (0.0501, 0.0, "lower", "worse"),
        (0.03, 0.01, "lower", "same"),  # resolved, and too small to matter
        (0.03, 0.03, "lower", "unresolved"),  # it may be more than the tolerance
        (0.0, math.nan, "lower", "same"),
        (1.0, math.nan, "lower", "unresolved"),
        (math.inf, math.nan, "lower", "unresolved"),
    ],
)
def test_verdict_needs_both_the_tolerance_and_the_interval(
    relative: float, half: float, better: str, verdict: str
) -> None:
    assert judge(relative, half, better, 0.05) == verdict


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 0.5))
def test_a_worsening_one_way_is_an_improvement_the_other(relative: float, half: float, tolerance: float) -> None:
    mirrored = {"better": "worse", "worse": "better"}
    verdict = judge(relative, half, "lower", tolerance)
    assert judge(-relative, half, "lower", tolerance) == mirrored.get(verdict, verdict)
    assert judge(relative, half, "higher", tolerance) == mirrored.get(verdict, verdict)


def test_half_width_is_students() -> None:
    assert math.isnan(half_width([1.0]))
    assert half_width([1.0, 3.0]) == pytest.approx(12.706204736432095)  # t(0.975, 1) sqrt(2) / sqrt(2)
    assert half_width([2.0, 2.0, 2.0]) == 0


def test_the_same_run_twice_exits_with_0(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(save(name, trials(BEFORE, ssim=0.9))) for name in ("one", "two")]
    assert main(["compare", *words]) == 0
    output = capsys.readouterr().out
    assert "6 comparisons of MSE per pixel, SSIM, 5-NN accuracy: 6 same." in output
    assert "next: nothing is worse" in output


def test_a_worsening_beyond_the_tolerance_exits_with_1(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    worse = {size: tuple(value * (1.10 + 0.001 * seed) for seed, value in enumerate(BEFORE[size])) for size in BEFORE}
    words = ["compare", str(save("old", trials(BEFORE))), str(save("new", trials(worse)))]
    assert main(words) == 1
    assert "3 worse" in capsys.readouterr().out
    assert main([*words, "--tolerance", "0.2"]) == 0
    assert main([words[0], words[2], words[1]]) == 0, "an improvement is none"
    assert main([*words, "--metric", "kl"]) == 0, "another metric is the same"


def test_a_missing_a_new_and_a_mended_trial_are_listed(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = trials(BEFORE), trials({**BEFORE, 16: (0.04,)})
    old[4], new = broken(old[4]), new[1:]
    words = ["compare", str(save("old", old)), str(save("new", new))]
    assert main(words) == 0
    output = capsys.readouterr().out
    assert "1 trial missing, 1 trial new, 1 trial mended" in output
    found = compare([Path(word) for word in words[1:]])
    assert [(one.kind, one.trial) for one in found.trials] == [
        ("missing", "latent size 2, seed 0"),
        ("new", "latent size 16, seed 0"),
        ("mended", "latent size 8, seed 1"),
    ]
    assert row(found.changes, "latent size 2").pairs == 2
    assert row(found.changes, "latent size 2").before == pytest.approx(0.115), "a missing trial's pair is left out"


def test_a_failed_trial_exits_with_1(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = trials(BEFORE), trials(BEFORE)
    new[0] = broken(new[0])
    words = [str(save("old", old)), str(save("new", new))]
    assert main(["compare", *words]) == 1
    output = capsys.readouterr().out
    assert "diverged: loss is NaN" in output
    assert "1 trial failed" in output
    assert main(["compare", *reversed(words)]) == 0, "it failed in the first, and is mended"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_lost_is_worse(save: Save, value: float) -> None:
    old, new = trials(BEFORE), trials(BEFORE)
    new[0] = replace(new[0], metrics={**new[0].metrics, "mse": value})
    found = compare([save("old", old), save("new", new)], ["mse"])
    assert row(found.changes, "latent size 2").verdict == "worse"
    back = compare([Path("new"), Path("old")], ["mse"])
    assert row(back.changes, "latent size 2").verdict == "unresolved", "nothing to hold it against"


def test_a_metric_that_is_no_longer_measured_is_worse(save: Save) -> None:
    lost = [replace(one, metrics={**one.metrics, "ssim": None}) for one in trials(BEFORE)]
    found = compare([save("old", trials(BEFORE, ssim=0.9)), save("new", lost)], ["ssim"])
    assert {one.verdict for one in found.changes} == {"worse"}


def test_one_seed_resolves_nothing_and_the_advice_says_so(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(save("old", trials({2: (0.1,)}))), str(save("new", trials({2: (0.3,)})))]
    assert main(["compare", *words]) == 0
    output = capsys.readouterr().out
    assert "1 unresolved" in output
    assert "more seeds" in output


def test_zero_before_is_no_division(save: Save) -> None:
    found = compare([save("old", trials({2: (0.0, 0.0)})), save("new", trials({2: (0.1, 0.1)}))], ["mse"])
    assert (found.changes[0].relative, found.changes[0].verdict) == (math.inf, "unresolved")
    assert compare([Path("old"), Path("old")], ["mse"]).changes[0].verdict == "same"


def test_digests_do_not_matter_and_the_latest_finished_trial_counts(save: Save) -> None:
    old = trials(BEFORE)
    again = [replace(one, trial=f"{one.trial}-x", digest="1" * 64) for one in old]
    older = replace(again[0], trial="older", finished="2024", metrics={"mse": 9.0})
    failed = replace(broken(again[0]), trial="failed", finished="2026")
    found = compare([save("old", old), save("new", [*again, older, failed])], ["mse"])
    assert {one.verdict for one in found.changes} == {"same"}
    assert found.trials == ()


def test_trials_of_earlier_versions_of_a_study_are_left_out(save: Save) -> None:
    old, new = save("old", trials({2: (0.1,)})), save("new", [*trials({2: (0.1,)}), broken(trial(8, 0))])
    assert compare([old, new]).worsened
    text = 'name = "x"\n[axes]\ndataset = ["digits"]\nmodel = ["dense"]\nlatent_dim = [2]\n'
    Store(new).write_study(text.replace('dataset = ["digits"]\nmodel = ["dense"]\n', "seed = [0]\n"))
    assert not compare([old, new]).worsened


def test_an_axis_with_one_value_may_be_missing_one_with_several_may_not(save: Save) -> None:
    old = trials({2: (0.1, 0.2)})
    wider = [replace(one, axes={"precision": "float32", **one.axes}) for one in old]
    assert compare([save("old", old), save("wider", wider)], ["mse"]).changes[0].pairs == 2
    wider[1] = replace(wider[1], axes={**wider[1].axes, "precision": "bfloat16"})
    with pytest.raises(SpecError, match=r"differ in 'precision' \(bfloat16, float32\), which is no axis of .*old"):
        compare([Path("old"), save("both", wider)])


def test_each_of_several_is_held_against_the_first(save: Save) -> None:
    folders = [
        save(name, trials({2: (0.1 * factor, 0.11 * factor)})) for name, factor in (("a", 1), ("b", 2), ("c", 1))
    ]
    found = compare(folders, ["mse"])
    assert [(Path(one.folder).name, one.verdict) for one in found.changes] == [("b", "worse"), ("c", "same")]
    assert views(found)[0].columns[0].key == "folder"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["old"], "expected at least two"),
        (["old", "nowhere"], "nowhere holds no results"),
        (["old", "old", "--metric", "mes"], "unknown metric 'mes': did you mean 'mse'"),
        (["old", "other"], "no trial in common"),
        (["old", "old", "--output", "x.pdf"], "expected a file that ends in .csv, .md, .html"),
        (["old", "old", "--output", "old/trials/t2-0/record.json/x.md"], "x.md can't be written: "),
    ],
)
def test_bad_usage_exits_with_2_and_says_why(
    save: Save, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    save("old", trials(BEFORE))
    save("other", trials({3: (0.1,)}))
    assert main(["compare", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("text", ["-1", "x", "nan", "inf"])
def test_a_tolerance_is_a_share(text: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["compare", "a", "b", "--tolerance", text])
    assert stop.value.code == 2


def cells(line: str) -> Iterator[str]:
    for cell in re.split(r"(?<!\\)\|", line)[1:-1]:
        yield re.sub(r"\\(.)", r"\1", cell).strip()


def test_files_show_what_the_tables_show(save: Save) -> None:
    new = trials({2: (0.112, 0.120, 0.134), 8: (0.05, 0.05, 0.05)})
    new[-1] = broken(new[-1], reason="a | b\n<i>c</i>")
    folders = [save("old", trials(BEFORE)), save("new", new)]
    for suffix in ("csv", "md", "html"):
        assert main(["compare", *map(str, folders), "--output", f"x/out.{suffix}"]) == 1
    found = compare(folders)
    changes, others, _ = views(found)
    rows = list(csv.DictReader(io.StringIO(Path("x/out.csv").read_text("utf-8"))))
    assert len(rows) == len(changes.rows) + len(others.rows)
    for given_, one in zip(rows, found.changes, strict=False):
        assert float(given_["relative"]) == one.relative
        assert float(given_["relative_low"] or "nan") == pytest.approx(one.relative - one.half, nan_ok=True)
        assert (given_["configuration"], given_["verdict"]) == (one.configuration, one.verdict)
    assert rows[-1]["reason"] == "diverged: a | b <i>c</i>"
    markdown = Path("x/out.md").read_text("utf-8")
    lines = [list(cells(line)) for line in markdown.splitlines() if line.startswith("| ")]
    shown = [[cell.text for cell in line] for view in (changes, others) for line in view.rows]
    assert [line for line in lines if line in shown] == shown
    assert "<i>" not in markdown.replace("\\<", "")
    page = Path("x/out.html").read_text("utf-8")
    assert "<i>" not in page
    assert "src=" not in page
    for tag in ("style", "script"):
        inline = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in page.replace("&#39;", "'")
    texts = [re.sub("<[^>]+>", "", cell) for cell in re.findall(r"<t[dh] (?:scope=row )?data-value.*?</t[dh]>", page)]
    assert texts == [
        cell.text.replace("<", "&lt;").replace(">", "&gt;")
        for view in (changes, others)
        for line in view.rows
        for cell in line
    ]


def test_hostile_names_are_text(save: Save, study: ModuleType) -> None:
    names = study.HOSTILE
    records = [replace(trial(name, 0, mse=0.1), trial=f"t{place}") for place, name in enumerate(names)]
    bad = [broken(one, reason=one.axes["latent_dim"]) for one in records[:3]]
    found = compare([save("old", records), save("new", [*bad, *records[3:]])])
    page, markdown, table = as_html(found), as_markdown(found), as_csv(found)
    assert page.count("<script>") == 1
    assert "<img" not in page
    assert "<img" not in markdown.replace("\\<", "")
    for text in (page, markdown, table):
        assert not set(text) & set("\x00\x1b\u202e")
    assert not any(cell.startswith("=") for line in csv.reader(io.StringIO(table)) for cell in line)


def test_a_long_table_is_cut_on_the_terminal_what_matters_first(
    save: Save, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    many = dict.fromkeys(range(1, 80), (0.1, 0.1))
    words = [str(save("old", trials(many))), str(save("new", trials({**many, 79: (0.2, 0.2)})))]
    assert main(["compare", *words, "--metric", "mse"]) == 1
    output = capsys.readouterr().out
    assert "20 more" in output
    assert "latent size 79" in output
    assert "latent size 78" not in output


def test_what_is_different_beside_the_settings_is_named_for_the_pairs_it_concerns(
    save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    surroundings = {"threads": 1, "arithmetic": {}}
    before = [replace(one, environment=surroundings) for one in trials(BEFORE)]
    other = surroundings | {"arithmetic": {"TF_ENABLE_ONEDNN_OPTS": "0"}}
    after = [replace(one, environment=other if one.axes["latent_dim"] == 2 else surroundings) for one in before]
    folders = [save("before", before), save("after", [*after[:1], broken(after[1]), *after[2:]])]
    found = compare(folders, ["mse"])
    expected = ("TF_ENABLE_ONEDNN_OPTS", "not set", "0", 2)
    assert [(one.what, one.before, one.after, one.pairs) for one in found.surroundings] == [expected]
    assert main(["compare", *map(str, folders)]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "What is different beside the settings" in told
    for text in (told, as_markdown(found).replace("\\", ""), as_html(found)):
        assert "TF_ENABLE_ONEDNN_OPTS" in text
    assert compare([folders[0], save("same", before)], ["mse"]).surroundings == ()
