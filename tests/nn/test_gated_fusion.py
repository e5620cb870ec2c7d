import torch

from mmrec.nn.gated_fusion import GatedFusion


def test_equals_the_equation() -> None:
    torch.manual_seed(0)
    fusion, dynamic, static = GatedFusion(4), torch.randn(3, 4), torch.randn(3, 4)
    joined, gate = fusion(dynamic, static)
    torch.testing.assert_close(gate, torch.sigmoid(fusion.linear(torch.cat([dynamic, static], dim=1))))
    torch.testing.assert_close(joined, gate * dynamic + (1 - gate) * static)
