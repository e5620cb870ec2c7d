import torch

from mmrec.nn.gated_fusion import GatedFusion


def test_equals_the_equation() -> None:
    torch.manual_seed(0)
    fusion, dynamic, static = GatedFusion(4), torch.randn(3, 4), torch.randn(3, 4)
    joined, gate = fusion(dynamic, static)
    static = torch.nn.functional.layer_norm(static, (4,))
    torch.testing.assert_close(gate, torch.sigmoid(fusion.linear(torch.cat([dynamic, static], dim=1))))
    torch.testing.assert_close(joined, gate * dynamic + (1 - gate) * static)


def test_the_scale_of_the_static_side_does_not_matter() -> None:
    torch.manual_seed(0)
    fusion, dynamic, static = GatedFusion(64), torch.randn(3, 64), torch.randn(3, 64)
    torch.testing.assert_close(fusion(dynamic, static)[0], fusion(dynamic, static * 0.1)[0], rtol=1e-2, atol=1e-2)
