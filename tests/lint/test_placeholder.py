from kiloframe.lint import placeholder


def test_the_template_does_not_stay(problems_of):
    assert problems_of(placeholder.check, "methods/fdm") == []
    assert problems_of(placeholder.check, "methods/fdm", ("name: FDM", "name: 'FILL IN: short name'")) == [
        "catalogue/methods/fdm.yaml:3: name: still to be filled in (short name); "
        "write it, or null where that is allowed"
    ]
    assert problems_of(placeholder.check, "methods/fdm", ("first_public: 2022-05", "first_public: 2000-01")) == [
        "catalogue/methods/fdm.yaml:11: first_public: '2000-01' is the template's date; write the real one"
    ]
