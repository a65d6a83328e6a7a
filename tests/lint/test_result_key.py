from kiloframe.lint import result_key

FDM = "methods/fdm"


def test_results_of_one_method_are_unique(problems_of):
    assert problems_of(result_key.check, FDM) == []
    change = ("variant: long-range, called Mixed there", "variant: hierarchy-2")
    assert problems_of(result_key.check, FDM, change) == [
        "catalogue/methods/fdm.yaml:149: results[1]: the same result key as in line 131; a result is unique by system, "
        "variant, dataset, split, resolution, frames, metric and locator"
    ]


def test_another_place_is_another_result(problems_of):
    change = ("variant: long-range, called Mixed there", "variant: hierarchy-2")
    moved = ("notebooks/rebuttal_plots.ipynb (printed output", "notebooks/other.ipynb (printed output")
    assert problems_of(result_key.check, FDM, change, moved) == []
