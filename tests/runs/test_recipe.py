"""One YAML and overrides become a recipe, or an error that says what to mend."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from errata.config.env import expand
from errata.config.overrides import apply
from errata.config.yaml_file import MAX_BYTES, parse_yaml, read_mapping
from errata.data.source import ProblemSource
from errata.errors import UsageError
from errata.graphs.pipeline import GRAPHS, STAGES
from errata.runs.recipe import load_recipe, recipe_model
from errata.runs.saved_recipe import differences, dump_recipe, load_saved_recipe, refuse_other_recipe

RECIPE = recipe_model(STAGES)
BASE = """
graph: lesson
problems: {source: classroom, options: {count: 20}}
agents:
  teachers:
    - {name: ada, model: simulated/ada}
    - {name: ben, model: simulated/ben}
  student: {name: pupil, model: simulated/pupil}
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return written(tmp_path, BASE)


def written(folder: Path, text: str, name: str = "trial.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(UsageError) as caught:
        load_recipe(path, overrides)
    assert caught.value.exit_code == 2
    assert caught.value.do
    return str(caught.value)


# ---- loading ---------------------------------------------------------------------------------------------------------


def test_name_is_the_files_stem_unless_given(base: Path) -> None:
    assert load_recipe(base).name == "trial"
    assert load_recipe(base, ["name=other"]).name == "other"


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("limit=50", "limit", 50),
        ("problems.options.count=50", "problems.options.count", 50),
        ("agents.teachers.0.model=openai/gpt-4.1-mini", "agents.teachers.0.model", "openai/gpt-4.1-mini"),
        (
            "agents.teachers.1.model=simulated/x?slips=0.1&lucky=0",
            "agents.teachers.1.model",
            "simulated/x?slips=0.1&lucky=0",
        ),
        (
            "agents.teachers.1.api_base=http://localhost:8000/v1",
            "agents.teachers.1.api_base",
            "http://localhost:8000/v1",
        ),
        ("agents.teachers.2={name: cleo, model: simulated/cleo}", "agents.teachers.2.name", "cleo"),
        ("settings.dual_cot.band=[0.1, 0.4]", "settings.dual_cot.band", [0.1, 0.4]),
        ("budget.usd=1e-3", "budget.usd", 0.001),
        ("budget.stages.exam.calls=7", "budget.stages.exam.calls", 7),
        ("agents.student.price.prompt=0", "agents.student.price", None),
        ("settings.peer_review.blind=true", "settings.peer_review.blind", True),
        ('problems.where={"a.b": 1}', "problems.where", {"a.b": 1}),
    ],
)
def test_override_reaches_its_place(base: Path, override: str, path: str, value: Any) -> None:
    if value is None:
        assert "completion is missing" in refusal(base, override)
        return
    found: Any = yaml.safe_load(dump_recipe(load_recipe(base, [override])))
    for part in path.split("."):
        found = found[int(part)] if isinstance(found, list) else found[part]
    assert found == value


def test_override_of_one_alias_leaves_the_other_alone(tmp_path: Path) -> None:
    text = BASE.replace("{source: classroom", "{exclude: [&x {source: a.jsonl}, *x], source: classroom")
    recipe = load_recipe(written(tmp_path, text), ["problems.exclude.0.source=b.jsonl"])
    assert [each.source for each in recipe.problems.exclude] == ["b.jsonl", "a.jsonl"]


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("limt=3", ["unknown key limt", "did you mean limit?", "override limt=3"]),
        ("agents.teachers.0.modl=x", ["agents.teachers.0.modl", "did you mean agents.teachers.0.model?"]),
        ("settings.peer_review.accept.threshhold=3", ["did you mean settings.peer_review.accept.threshold?"]),
        ("problems.exclude=[{sorce: x}]", ["problems.exclude.0.sorce", "did you mean problems.exclude.0.source?"]),
        ("budget.stages.exam.uds=1", ["budget.stages.exam.uds", "did you mean budget.stages.exam.usd?"]),
        ("problems.mapping={question: q, anwer: a, kind: number}", ["did you mean problems.mapping.answer?"]),
        ("agents.teachers.7.name=x", ["list of 2", "agents.teachers.0 to agents.teachers.1"]),
        ("agents.teachers.name=x", ["list of 2", "'name' is no place"]),
        ("seed.x=1", ["override seed.x", "whole number"]),
        ("graph.x=1", ["graph is 'lesson'", "override graph as a whole"]),
        ("limit=abc", ["limit is 'abc'", "whole number"]),
        ("limit=true", ["limit is True", "number"]),
        ("limit=0", ["limit is 0", "greater than or equal to 1"]),
        ("problems=x", ["problems is 'x'", "a section of keys"]),
        ("agents=null", ["agents is None", "a section of keys"]),
        ("agents.teachers={a: 1}", ["agents.teachers is", "a list"]),
        ("graph=leson", ["graph is 'leson'", "did you mean lesson"]),
        ("name=a/b", ["one folder name"]),
        ("agents.teachers.1.name=ada", ["two agents are named ada"]),
        ("settings.dual_cot.band=[0.5, 0.1]", ["band"]),
        ("limit", ["key=value"]),
        ("=3", ["key=value"]),
        ("a..b=3", ["key=value"]),
        ("limit=[1", ["override limit", "line 1"]),
        ("limit=*x", ["override limit", "undefined alias"]),
        ("seed=2026-13-45", ["cannot be read", "quote it"]),
        ("seed=!!python/object:os.system 1", ["override seed"]),
    ],
)
def test_bad_override_is_refused_with_what_to_do(base: Path, override: str, told: list[str]) -> None:
    message = refusal(base, override)
    for words in told:
        assert words in message, message


def test_unknown_key_in_the_file_names_the_file(tmp_path: Path) -> None:
    message = refusal(written(tmp_path, BASE + "concurency: 4\n"))
    assert "trial.yaml: unknown key concurency" in message
    assert "did you mean concurrency?" in message


def test_missing_keys_are_all_told(tmp_path: Path) -> None:
    message = refusal(written(tmp_path, "graph: exam\n"))
    assert "problems is missing" in message
    assert "agents is missing" in message


# ---- bad files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("- a\n- b\n", "holds a list"),
        ("just text", "holds a text"),
        ("graph: exam\n  bad: indent\n", "line 2"),
        ("graph: exam\ngraph: lesson\n", "line 2: the key graph stands twice"),
        ("a: &a [*a]\n", "alias within itself"),
        ("a: 'open\n", "line"),
        ("a: !!int x\n", "cannot be read"),
        ("a: !!timestamp x\n", "cannot be read"),
        ("a: \x07\n", "trial.yaml"),
        ("--- 1\n--- 2\n", "line 2"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_bad_yaml_is_refused(tmp_path: Path, text: str, told: str) -> None:
    assert told in refusal(written(tmp_path, text))


def test_alias_bomb_is_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "aliases expand" in refusal(written(tmp_path, "\n".join(lines)))


def test_alias_bomb_of_long_texts_is_refused(tmp_path: Path) -> None:
    text = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 1000)}]"
    assert "aliases expand" in refusal(written(tmp_path, text))


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.yaml")
    assert "directory" in refusal(tmp_path)
    assert "null" in refusal(Path("a\0b"))
    (tmp_path / "latin.yaml").write_bytes("name: café".encode("latin-1"))
    assert "byte 9 is not UTF-8" in refusal(tmp_path / "latin.yaml")
    (tmp_path / "huge.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    assert "larger than" in refusal(tmp_path / "huge.yaml")


def test_missing_file_names_the_nearest(base: Path) -> None:
    assert "trial.yaml?" in refusal(base.with_name("trail.yaml"))


# ---- never anything but a UsageError ---------------------------------------------------------------------------------

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_keys = st.sampled_from(
    [
        "name", "graph", "problems", "problems.mapping", "problems.exclude", "problems.options", "problems.where",
        "agents", "agents.teachers", "agents.teachers.0", "agents.teachers.0.recorded", "agents.teachers.0.extra",
        "agents.reviewers", "agents.student", "settings", "stages", "grader", "agents.others", "settings.dual_cot.band",
        "settings.rationales.demonstrations", "budget", "budget.stages", "seed", "limit", "prompts",
    ]
)  # fmt: skip


@given(key=_keys, value=_values)
@example(key="problems.where", value={"\x85": "a\x85"})
@settings(max_examples=150, deadline=None)
def test_any_value_at_any_key_is_taken_or_refused(key: str, value: Any) -> None:
    data = parse_yaml(BASE, "base") | {"name": "x"}
    written_out = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
    try:
        recipe = apply(RECIPE, data, [f"{key}={written_out}"], "base")
    except UsageError:
        return
    again = apply(RECIPE, parse_yaml(dump_recipe(recipe), "saved"), [], "saved")
    assert dump_recipe(again) == dump_recipe(recipe)


@given(text=st.text(max_size=60) | st.text(alphabet="{}[]&*!:,-#'\"\\ \nabc012.~|>%@`?<=", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_yaml_or_refused(text: str) -> None:
    with suppress(UsageError):
        parse_yaml(text, "text")


@given(text=st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_override_is_taken_or_refused(text: str) -> None:
    with suppress(UsageError):
        apply(RECIPE, parse_yaml(BASE, "base") | {"name": "x"}, [text], "base")


# ---- environment variables -------------------------------------------------------------------------------------------


def test_variables_are_expanded_with_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ERRATA_TRIAL", raising=False)
    assert expand("${ERRATA_TRIAL:-data}/x $HOME {y}") == "data/x $HOME {y}"
    assert expand("${ERRATA_TRIAL:-}x") == "x"
    monkeypatch.setenv("ERRATA_TRIAL", "/a ${b}")
    assert expand("${ERRATA_TRIAL:-data}/x") == "/a ${b}/x"
    monkeypatch.setenv("ERRATA_TRIAL", "")
    assert expand("${ERRATA_TRIAL:-data}") == "data"


def test_variables_without_value_or_form_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ERRATA_TRIAL", raising=False)
    with pytest.raises(UsageError, match="ERRATA_TRIAL is not set"):
        expand("${ERRATA_TRIAL}/x")
    with pytest.raises(UsageError, match="without a variable"):
        expand("${ERRATA_TRIAL:x}")


# ---- the same run? ---------------------------------------------------------------------------------------------------


def test_saved_recipe_loads_as_the_same(base: Path) -> None:
    recipe = load_recipe(base, ["agents.teachers.0.temperature=null", "agents.teachers.1.top_p=0.5", "licence=Ünï"])
    saved = load_recipe(str(written(base.parent, dump_recipe(recipe), "saved.yaml")))  # a text names a file as well

    assert differences(recipe, saved) == []
    for mine, theirs in zip(recipe.agents.everyone, saved.agents.everyone, strict=True):
        stage = recipe.settings.rationales.sampling.model_copy(update={"temperature": 0.8})
        assert mine.parameters(stage) == theirs.parameters(stage)


@pytest.mark.parametrize(
    ("override", "paths"),
    [
        ("limit=5", []),
        ("concurrency=2", []),
        ("budget={usd: 1, stages: {exam: {calls: 3}}}", []),
        ("runs=elsewhere", []),
        ("agents.teachers.0.price={prompt: 1, completion: 2}", []),
        ("agents.student.rpm=3", []),
        ("agents.student.api_key_env=KEY", []),
        ("agents.teachers.0.model=simulated/x", ["agents.teachers.0.model"]),
        ("agents.teachers.0.temperature=null", ["agents.teachers.0.temperature"]),
        ("agents.teachers.2={name: c, model: simulated/c}", ["agents.teachers"]),
        ("agents.student.model=simulated/x", ["agents.student.model"]),
        ("settings.rationales.samples=2", ["settings.rationales.samples"]),
        ("problems.options.count=3", ["problems.options.count"]),
        ("problems.options.split=id", ["problems.options.split"]),
        ("seed=1", ["seed"]),
    ],
)
def test_what_makes_another_run(base: Path, override: str, paths: list[str]) -> None:
    assert differences(load_recipe(base), load_recipe(base, [override])) == paths


def test_other_recipe_in_a_run_directory_is_refused(base: Path) -> None:
    saved = written(base.parent, dump_recipe(load_recipe(base)), "recipe.yaml")
    refuse_other_recipe(saved, load_recipe(base, ["limit=3", "name=trial"]))
    refuse_other_recipe(base.with_name("none.yaml"), load_recipe(base))
    with pytest.raises(UsageError, match=r"seed is 17 there, 18 here; settings.* is 1 there, 2 here|settings.*seed"):
        refuse_other_recipe(saved, load_recipe(base, ["seed=18", "settings.exam.samples=2"]))


# ---- roles -----------------------------------------------------------------------------------------------------------

RECORDED = "agents.teachers.0={name: ada, model: recorded/ada, recorded: {solve: {file: f, match: q, reply: r}}}"


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["agents.student=null"], "no student"),
        (["graph=mistake_explanation", "agents.student=null"], "no student"),
        (["graph=rationales", "settings.only_mistakes=true", "agents.student=null"], "no student"),
        (["agents.teachers=[]"], "no teacher"),
        (["graph=peer_review", "agents.teachers=[{name: a, model: simulated/a}]"], "nobody can review a"),
        (["graph=peer_review", "agents.reviewers=[]"], "nobody can review ada: the panel is empty"),
        (["settings.peer_review.accept={rule: k_of_n, k: 2}"], "ada has 1 reviewers"),
        (["agents.teachers.0.model=gpt-4o"], "write openai/gpt-4o"),
        (["agents.teachers.0.model=openai/"], "agent ada: model 'openai/'"),
        (["agents.student.model="], "agents.student.model is None"),
        ([RECORDED], "none of the verb score"),
        ([RECORDED, "graph=peer_review"], "none of the verb score"),
        ([RECORDED, "graph=dual_cot"], "none of the verb rectify"),
        ([RECORDED, "graph=dual_cot", "settings.dual_cot.rectify=false"], "settings.dual_cot.corrupt=false"),
        (["agents.student.model=recorded/x"], "go together"),
        (
            [
                RECORDED.replace("solve: {", "score: {file: f, match: q, reply: {cleo: x}}, solve: {"),
                "graph=peer_review",
            ],
            "no path for the author ben",
        ),
    ],
)
def test_cast_that_cannot_play_is_refused(base: Path, overrides: list[str], told: str) -> None:
    assert told in refusal(base, *overrides)


@pytest.mark.parametrize(
    "overrides",
    [
        ["graph=exam", "agents.teachers=[]"],
        ["graph=rationales", "agents.student=null", "agents.teachers=[{name: a, model: simulated/a}]"],
        ["graph=peer_review", "agents.student=null", "agents.reviewers=[{name: r, model: simulated/r}]"],
        ["graph=rationales", RECORDED],
        ["graph=dual_cot", "settings.dual_cot.rectify=false", "settings.dual_cot.corrupt=false", RECORDED],
    ],
)
def test_cast_that_suffices_is_taken(base: Path, overrides: list[str]) -> None:
    assert load_recipe(base, overrides)


def test_stages_are_those_that_the_pipeline_runs(base: Path) -> None:
    from errata.runs.studio import recipe_pipeline

    for overrides in (
        *([f"graph={name}"] for name in GRAPHS),
        ["stages=[peer_review]"],
        ["stages=[exam, dual_cot, mistake_explanation]"],
        ["stages=[mistake_explanation]", "settings.only_mistakes=true"],
    ):
        recipe = load_recipe(base, overrides)
        nodes = [node for node in recipe_pipeline(recipe).nodes if node not in ("__start__", "conclude")]
        ran = list(dict.fromkeys(node.partition(".")[0] for node in nodes))
        # they are linked from the last to the first
        assert [stage.name for stage in recipe.pipeline] == list(reversed(ran))


def test_the_old_place_of_stages_is_refused_with_the_new_one(base: Path) -> None:
    with pytest.raises(UsageError, match=r"settings\.stages is now stages") as refused:
        load_recipe(base, ["settings.stages=[exam]"])
    assert "write stages: ['exam'] at the top" in str(refused.value)


def test_an_old_saved_recipe_is_read(base: Path, tmp_path: Path) -> None:
    old = read_mapping(base)
    old["settings"] = {"stages": ["peer_review", "exam"], "only_mistakes": True}
    (tmp_path / "saved.yaml").write_text(json.dumps(old))

    recipe = load_saved_recipe(tmp_path / "saved.yaml")

    assert recipe.stages == ("exam", "peer_review")
    assert [stage.name for stage in recipe.pipeline] == ["exam", "rationales", "peer_review"]


def test_recipe_module_stays_light() -> None:
    import subprocess
    import sys

    heavy = "{'torch', 'litellm', 'transformers', 'langchain_core', 'langgraph', 'datasets', 'pyarrow'}"
    code = f"import sys, errata.runs.recipe, errata.data.problems; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_problem_source_refers_to_itself_in_exclude() -> None:
    assert ProblemSource(source="a", exclude=(ProblemSource(source="b"),)).exclude[0].source == "b"


def test_a_path_is_resolved_once_and_saved_as_it_is_written(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERRATA_TRIAL", "here")
    recipe = load_recipe(base, ["runs=${ERRATA_TRIAL}/runs", "store=${ERRATA_NOWHERE}"])
    monkeypatch.setenv("ERRATA_TRIAL", "elsewhere")

    assert expand(recipe.runs) == "here/runs"
    assert "runs: ${ERRATA_TRIAL}/runs" in dump_recipe(recipe)
    with pytest.raises(UsageError, match="ERRATA_NOWHERE is not set"):
        expand(recipe.store or "")
