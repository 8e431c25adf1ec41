from rfcli.dataset.split import is_validation


def test_a_sixteenth_is_held_out_and_the_smallest_dataset_has_one() -> None:
    assert sum(is_validation(i) for i in range(1600)) == 100
    assert is_validation(0)
    assert not is_validation(1)
