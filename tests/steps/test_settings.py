"""What a study's and a school's recipe have in common."""

from __future__ import annotations

from pathlib import Path

from errata.steps.settings import BaseStudent, method_beside


def test_a_method_of_ones_own_is_looked_for_beside_the_recipe() -> None:
    assert method_beside(Path("recipes"), "my_method.py:METHOD") == "recipes/my_method.py:METHOD"
    assert method_beside(Path("recipes"), "mcc-kd") == "mcc-kd"


def test_the_embedded_student_lies_in_its_one_folder_and_a_model_where_it_is_named(tmp_path: Path) -> None:
    embedded = BaseStudent(pretrain={})
    assert embedded.untouched(tmp_path) == str(tmp_path), "it is still to be pre-trained"
    (tmp_path / "tiny-1").mkdir()
    assert embedded.untouched(tmp_path) == str(tmp_path / "tiny-1")
    assert BaseStudent(model="org/name").untouched(tmp_path) == "org/name"
