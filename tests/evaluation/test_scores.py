import numpy as np

from panglot.evaluation.scores import column_blocks, row_blocks, score, tie_order, work_order


def test_scores_are_dot_products() -> None:
    queries = np.array([[1, 2], [0, -1]], np.float32)
    passages = np.array([[3, 4], [5, 6], [-7, 0]], np.float32)
    assert score(queries, passages).tolist() == [[11, 17, -7], [-4, -6, 0]]


def test_row_blocks_keep_the_order_of_work() -> None:
    blocks = [block.tolist() for block in row_blocks(np.array([4, 0, 3, 1, 2]), rows=2)]
    assert blocks == [[4, 0], [3, 1], [2]]


def test_column_blocks_cover_each_passage_once() -> None:
    assert column_blocks(7, columns=3) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert column_blocks(6, columns=3) == [slice(0, 3), slice(3, 6)]
    assert column_blocks(2, columns=3) == [slice(0, 2)]


def test_queries_with_most_judgements_are_worked_on_first() -> None:
    judged = np.array([1, 2, 2, 2, 4, 4])
    assert work_order(judged, 6).tolist() == [2, 4, 1, 0, 3, 5]


def test_ties_go_by_id_as_text_and_descending() -> None:
    # as text "p10" < "p9" < "q1" < "é"; the last one is first among equals
    assert tie_order(["p9", "é", "p10", "q1"]).tolist() == [2, 0, 3, 1]
