/**
 * What the job of the canaries does on Ray: logs, saves a model that doubles, registers it, loads it as anyone would
 * and lets it predict. A model of three lines: what is proven is the way, and PyTorch would take seconds to import.
 */
export const JOB_SCRIPT = `
import sys
import mlflow

name = sys.argv[1]

class Doubling(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [2 * number for number in model_input]

with mlflow.start_run():
    mlflow.log_metric("canary", 0.5)
    info = mlflow.pyfunc.log_model(
        name="model", python_model=Doubling(), pip_requirements=["mlflow"], registered_model_name=name
    )
    loaded = mlflow.pyfunc.load_model(f"models:/{name}/{info.registered_model_version}")
    mlflow.log_metric("canary_prediction", loaded.predict([1, 2, 3])[2])
`

/** What the loaded model says to 3. */
export const PREDICTION = 6
