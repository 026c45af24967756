"""Weights on disk: there and back, and every way they can be wrong, in a sentence."""

from __future__ import annotations

import json
import pickle

import pytest
import torch
from torch import nn

from napari_pfitre.errors import WeightsError
from napari_pfitre.networks import Card, PaperNet, SlabNet, load_network, load_paper_checkpoint, save_network


@pytest.fixture
def saved(tmp_path):
    """A small network on disk: its path, and the network."""
    torch.manual_seed(3)
    net = SlabNet(width=4, growth=4, blocks=1)
    nn.init.normal_(net.leave.weight)
    path = tmp_path / "small.safetensors"
    save_network(net, path, Card("small", "slab-net", net.config, training={"steps": 7}, failures=("foam",)))
    return path, net


def test_there_and_back(saved):
    path, net = saved
    again, card = load_network(path)
    assert not again.training
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor, rtol=0, atol=0)
    assert card.training == {"steps": 7}
    assert card.failures == ("foam",)
    assert card.parameters == sum(p.numel() for p in net.parameters())
    assert sorted(p.name for p in path.parent.iterdir()) == ["small.json", "small.safetensors"]


def test_a_changed_file_is_refused(saved):
    path, _ = saved
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="checksum"):
        load_network(path)


def test_a_missing_card_is_refused(saved):
    path, _ = saved
    path.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match=r"small\.json does not exist"):
        load_network(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"architecture": "transformer"}, "known are slab-net"),
        ({"config": {"width": 4, "depth": 3}}, "not the card"),
        ({"config": {"width": 8, "growth": 4, "blocks": 1}}, "does not fit its card"),
    ],
)
def test_a_card_of_something_else_is_refused(saved, change, words):
    path, _ = saved
    card = path.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | change))
    with pytest.raises(WeightsError, match=words):
        load_network(path)


@pytest.mark.parametrize("text", ["", "[1, 2]", "no json"])
def test_a_card_that_is_none_is_refused(saved, text):
    path, _ = saved
    path.with_suffix(".json").write_text(text)
    with pytest.raises(WeightsError, match="not the card"):
        load_network(path)


def test_a_name_that_is_not_there_says_how_to_get_weights():
    with pytest.raises(WeightsError, match="napari-pfitre train pfitre --out"):
        load_network("nobody-trained-this")


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="should be a"):
        load_network(tmp_path / "weights.npy")


STRANGE = {  # what the original's modules may be called; the order of the layers is what counts
    "encode_1": "vgg.0", "down_1": "p1", "encode_2": "vgg.3", "down_2": "p2", "encode_3": "vgg.6",
    "dilated": "drdb.body", "plain": "rdb.body", "join_3": "dec3.conv", "up_3": "dec3.up", "join_2": "dec2.conv",
    "up_2": "dec2.up", "join_1": "dec1.conv", "leave": "final",
}  # fmt: skip


def foreign(net: PaperNet) -> dict[str, torch.Tensor]:
    """A checkpoint's state under other names, with layers that are never used in between."""
    state = {}
    for part, name in STRANGE.items():
        for key, p in getattr(net, part).named_parameters():
            state[f"{name}.{key}"] = p.detach().clone()
        if part == "encode_3":
            state["vgg.8.weight"], state["vgg.8.bias"] = torch.zeros(256, 256, 3, 3), torch.zeros(256)
            state["vgg.11.weight"], state["vgg.11.bias"] = torch.zeros(512, 256, 3, 3), torch.zeros(512)
            state["vgg.bn.count"] = torch.tensor(5)
    return state


@pytest.fixture(scope="module")
def paper():
    torch.manual_seed(0)
    return PaperNet().eval()


def test_a_checkpoint_of_the_original_is_found_by_its_shapes(paper, tmp_path):
    path = tmp_path / "ckpt_PFITRE.pth"
    torch.save({"epoch": 100, "net_state_dict": foreign(paper), "net_opt_state_dict": {"state": {}}}, path)
    net, card = load_network(path)
    image = torch.rand(1, 1, 12, 12)
    with torch.no_grad():
        torch.testing.assert_close(net(image, image, image), paper(image, image, image))
    assert card.parameters == 23_200_323


def test_a_checkpoint_of_another_network_is_refused(paper, tmp_path):
    state = foreign(paper)
    del state["rdb.body.convolutions.4.weight"]
    torch.save({"net_state_dict": state}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"no tensors of shapes .* for the part 'plain'"):
        load_paper_checkpoint(tmp_path / "other.pth")


def test_two_candidates_are_refused(paper, tmp_path):
    state = foreign(paper)
    state["extra.weight"], state["extra.bias"] = torch.ones(32, 96, 3, 3), torch.zeros(32)
    torch.save({"net_state_dict": state}, tmp_path / "two.pth")
    with pytest.raises(WeightsError, match=r"'join_1' .* could be dec1.conv.weight, extra.weight"):
        load_paper_checkpoint(tmp_path / "two.pth")


class Trap:
    def __reduce__(self):
        return (print, ("a pickle has run",))


def test_nothing_in_a_checkpoint_runs(tmp_path, capsys):
    path = tmp_path / "trap.pth"
    torch.save({"net_state_dict": Trap()}, path)
    with pytest.raises(WeightsError, match="cannot be read as tensors alone"):
        load_paper_checkpoint(path)
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(WeightsError, match="cannot be read as tensors alone"):
        load_paper_checkpoint(path)
    assert "run" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [[1, 2], {"net_state_dict": {}}, {"net_state_dict": "text"}])
def test_a_checkpoint_without_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(WeightsError, match="net_state_dict"):
        load_paper_checkpoint(tmp_path / "odd.pth")
