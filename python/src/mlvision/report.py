"""Which pictures a finished run leaves, by the names they have in MLflow."""

from __future__ import annotations

from mlvision import plots
from mlvision.callbacks import Finished


def pictures(event: Finished) -> dict[str, bytes]:
    """Draw the run: how it learned, which class is taken for which, and its worst mistakes. PNG bytes."""
    names, evaluation = event.data.class_names, event.evaluation
    metrics = {
        key: [epoch.metrics[key] for epoch in event.history] for key in ("train_loss", "val_loss", "val_accuracy")
    }
    epochs = [epoch.epoch for epoch in event.history]
    title = f"{event.data.name}: test accuracy {evaluation.accuracy:.2%}"
    worst = evaluation.mistakes
    mistakes = [
        plots.Mistake(event.data.test.images[index].numpy(), names[true], names[predicted], float(probability))
        for index, true, predicted, probability in zip(
            worst.index, worst.true, worst.predicted, worst.probability, strict=True
        )
    ]
    return {
        "plots/learning_curve.png": plots.learning_curve(epochs, metrics, event.best.epoch, title),
        "plots/confusion_matrix.png": plots.confusion_matrix(evaluation.confusion, names, title),
        "plots/per_class.png": plots.per_class(evaluation.confusion, names, title),
        "plots/mistakes.png": plots.mistakes_grid(mistakes, "The most confident mistakes"),
    }
