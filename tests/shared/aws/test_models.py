"""AWS's service models as they are read here: the same content as botocore reads, in the same order."""

from collections import OrderedDict

from botocore.loaders import Loader, create_loader

from aiops_shared.aws.sessions import Models


def _ours() -> Loader:
    loader = create_loader(None)
    loader.file_loader = Models()
    return loader


def test_models_and_tables_are_the_same_as_botocore_reads_them() -> None:
    theirs, ours = create_loader(None), _ours()
    for kind in ("service-2", "paginators-1"):
        read = ours.load_service_model("eks", kind)
        assert type(read) is dict
        assert list(read) == list(theirs.load_service_model("eks", kind))
        assert read == theirs.load_service_model("eks", kind)
    assert ours.load_data("partitions") == theirs.load_data("partitions")


def test_members_keep_the_order_of_the_file() -> None:
    name = "CreateClusterRequest"
    read = _ours().load_service_model("eks", "service-2")["shapes"][name]["members"]
    said = create_loader(None).load_service_model("eks", "service-2")["shapes"][name]["members"]
    assert isinstance(said, OrderedDict)
    assert list(read.items()) == list(said.items())


def test_a_file_that_is_not_there_is_none(tmp_path: object) -> None:
    assert Models().load_file(f"{tmp_path}/nothing") is None
