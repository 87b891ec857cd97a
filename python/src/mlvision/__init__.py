"""mlvision trains small image classifiers: one loop to read, exact to resume, quick on a CPU.

In Python::

    from mlvision.config import parse_config
    from mlvision.training import train

    result = train(parse_config({"data": {"name": "digits"}}))
    print(result.metrics["test_accuracy"])
"""

__version__ = "0.1.0"
