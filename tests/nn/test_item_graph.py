import torch
from torch.nn import functional as F

from mmrec.nn.item_features import ItemFeatures
from mmrec.nn.item_graph import ItemGraph


def features_of(text: torch.Tensor, image: torch.Tensor, without_text: list[int], without_image: list[int]):
    made = ItemFeatures(len(text), text.shape[1], image.shape[1], text=True, image=True)
    for name, rows, missing in (("text", text, without_text), ("image", image, without_image)):
        present = torch.ones(len(rows), dtype=torch.bool)
        present[[0, *missing]] = False
        setattr(made, f"{name}_present", present)
        setattr(made, name, F.normalize(rows, dim=1) * present[:, None])
    return made


def test_a_step_is_the_weighted_mean_over_the_nearest_of_each_modality() -> None:
    torch.manual_seed(0)
    text, image, vectors = torch.randn(12, 5), torch.randn(12, 3), torch.randn(12, 4, requires_grad=True)
    features = features_of(text, image, without_text=[3, 5], without_image=[4, 5])
    graph = ItemGraph(neighbours=2, image_weight=0.3)
    graph.set_features(features)
    expected = torch.zeros(12, 4)
    for item in range(1, 12):
        parts = {}
        for name, weight in (("text", 0.7), ("image", 0.3)):
            if not features.present(name)[item]:
                continue
            cosine = features.rows(name) @ features.rows(name)[item]
            cosine[~features.present(name)] = -2
            cosine[item] = -2
            parts[name] = weight, vectors[cosine.topk(2).indices].mean(dim=0)
        total = sum(weight for weight, _ in parts.values())
        expected[item] = sum((weight / total * mean for weight, mean in parts.values()), torch.zeros(4))
    ours = graph(vectors)
    torch.testing.assert_close(ours, expected)
    grads = [torch.autograd.grad((made**2).sum(), vectors, retain_graph=True)[0] for made in (ours, expected)]
    torch.testing.assert_close(*grads)
    assert not ours[5].any()  # it resembles nothing
