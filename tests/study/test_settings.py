from rfcli.study.settings import Variant, variants


def test_on_a_cpu_there_are_just_the_mechanisms() -> None:
    assert variants(["sdpa", "performer"], "cpu") == [Variant("sdpa", "sdpa"), Variant("performer", "performer")]


def test_on_cuda_kernels_and_formats_stand_apart_under_names_of_their_own() -> None:
    found = variants(["sdpa", "performer", "nearfar"], "cuda")
    assert [variant.name for variant in found] == [
        "sdpa",
        "sdpa-plain",
        "sdpa-flash-bf16",
        "sdpa-plain-bf16",
        "performer",
        "performer-bf16",
        "nearfar",
        "nearfar-bf16",
    ]
    assert all(variant.precision == ("bf16" if variant.name.endswith("bf16") else "fp32") for variant in found)
    assert {variant.kernel for variant in found if variant.attention != "sdpa"} == {None}
    assert [variant.kernel for variant in found[:4]] == [None, "plain", "flash", "plain"]
