import pytest
import torch
from torch.nn import functional as F

from mmrec.batch import SequenceBatch
from mmrec.data.datamodule import RecDataModule
from mmrec.errors import InvalidArgument
from tests.clocks import no_times
from tests.contracts.conftest import build


@torch.no_grad()
def test_states_equal_a_loop_over_cells(toy: RecDataModule) -> None:
    model = build("gru4rec", toy, embedding_dim=6, hidden_dim=10, layers=2).eval()
    window = torch.tensor([[3, 1, 4, 1], [5, 9, 0, 0]])
    batch = SequenceBatch(torch.arange(2), window, torch.empty(0).long(), torch.zeros(3).long(), no_times(window))
    cells = []
    for layer in model.sequence_encoder.layers:
        cells.append(torch.nn.GRUCell(layer.input_size, layer.hidden_size))
        cells[-1].load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    for row, history in enumerate(([3, 1, 4, 1], [5, 9])):
        states = [torch.zeros(10), torch.zeros(10)]
        for item in history:
            below = model.item_vectors()[item] * 6**0.5
            for depth, cell in enumerate(cells):
                below = states[depth] = cell(below, states[depth])
        expected = F.layer_norm(model.sequence_encoder.projection(below), (6,))
        torch.testing.assert_close(model.encode_users(batch)[row], expected)


def test_input_and_output_share_one_embedding_without_projection_at_equal_width(toy: RecDataModule) -> None:
    names = [name for name, _ in build("gru4rec", toy).named_parameters() if "layers" not in name]
    assert names == ["item_encoder.id.weight", "sequence_encoder.norm.weight", "sequence_encoder.norm.bias"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"layers": 0}, "layers must be at least 1"), ({"dropout": -0.1}, "dropout must be at least 0 and below 1")],
)
def test_options_out_of_range_are_refused(changes: dict, message: str, toy: RecDataModule) -> None:
    with pytest.raises(InvalidArgument, match=message):
        build("gru4rec", toy, **changes)
