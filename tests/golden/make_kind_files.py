"""Writes kinds/*: small files of other programs, as those programs write them, to be told by what they hold.

    python make_kind_files.py      makes what the frameworks that are installed make: PyTorch (made with 2.15),
                                   onnx (1.23), TensorFlow (2.15)

The names are those that people give such files; kinds.sh also tries each under another name.
"""

import importlib.util
import pathlib
import pickle
import shutil
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent / "kinds"


def torch_files():
    import torch
    from safetensors.torch import save_model

    linear = torch.nn.Linear(2, 1)
    torch.save(linear.state_dict(), FOLDER / "checkpoint.pt")
    torch.save(linear.state_dict(), FOLDER / "before_1_6.pth", _use_new_zipfile_serialization=False)
    torch.jit.script(linear).save(str(FOLDER / "script.pt"))
    save_model(linear, str(FOLDER / "state_dict.safetensors"))
    (FOLDER / "state_dict.safetensors").chmod(0o644)
    with open(FOLDER / "weights.pkl", "wb") as stream:
        pickle.dump({name: tensor.numpy() for name, tensor in linear.state_dict().items()}, stream)


def onnx_files():
    import onnx
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "graph", [x], [y])
    model = helper.make_model(graph, producer_name="pytorch", producer_version="2.0")
    helper.set_model_props(model, {"author": "nobody"})
    onnx.save(model, FOLDER / "model.onnx")


def tensorflow_files():
    import tensorflow as tf

    model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(2,))])
    lite = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    (FOLDER / "model.tflite").write_bytes(lite)
    model.save_weights(FOLDER / "weights.h5")
    (FOLDER / "architecture.json").write_text(model.to_json() + "\n")
    module = tf.Module()
    module.v = tf.Variable(1.0)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder)
        (FOLDER / "saved_model").mkdir(exist_ok=True)
        shutil.copy(pathlib.Path(folder, "saved_model.pb"), FOLDER / "saved_model")
        tf.train.Checkpoint(v=module.v).write(folder + "/ckpt")
        shutil.copy(pathlib.Path(folder, "ckpt.index"), FOLDER)


def main():
    FOLDER.mkdir(exist_ok=True)
    for package, make in (("torch", torch_files), ("onnx", onnx_files), ("tensorflow", tensorflow_files)):
        if importlib.util.find_spec(package):
            make()


if __name__ == "__main__":
    main()
