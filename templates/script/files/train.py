"""Fit a linear model to scikit-learn's digits and log every epoch to MLflow.

mlv sets MLFLOW_TRACKING_URI, MLFLOW_RUN_ID and a sign-in for this job, so `mlflow.start_run()` finds its run.
"""

from __future__ import annotations

import argparse

import mlflow
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--note", default="")
    options = parser.parse_args()

    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        images / 16, labels, random_state=0, stratify=labels
    )
    model = SGDClassifier(
        loss="log_loss", learning_rate="constant", eta0=options.lr, random_state=0
    )

    with mlflow.start_run():
        mlflow.log_params({"epochs": options.epochs, "lr": options.lr})
        if options.note:
            mlflow.set_tag("mlflow.note.content", options.note)
        for epoch in range(1, options.epochs + 1):
            model.partial_fit(train_x, train_y, classes=range(10))
            loss = log_loss(train_y, model.predict_proba(train_x))
            accuracy = model.score(test_x, test_y)
            mlflow.log_metrics(
                {"train_loss": loss, "test_accuracy": accuracy}, step=epoch
            )
            print(
                f"epoch {epoch}: loss {loss:.3f}, test accuracy {accuracy:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
