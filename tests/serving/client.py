"""Triton's own client, over gRPC: client.py PORT MODEL. Prints what came of it, as JSON; test_client.py looks at that.

A process of its own, since the client's packages are another interpreter's."""

import json
import sys
import time

import numpy as np
import tritonclient.grpc as grpc


def main():
    client = grpc.InferenceServerClient(f"127.0.0.1:{sys.argv[1]}")
    model = sys.argv[2]
    text = grpc.InferInput("TEXT", [1, 1], "BYTES")
    text.set_data_from_numpy(np.array([[b"3 May 1979"]], dtype=object))
    outputs = [grpc.InferRequestedOutput("TEXT")]
    answer = client.infer(model, [text], outputs=outputs)
    ids = grpc.InferInput("INPUT", [1, 3], "INT32")
    ids.set_data_from_numpy(np.array([[1, 99, 2]], np.int32))
    try:
        client.infer(model, [ids], outputs=[grpc.InferRequestedOutput("TOKENS")])
        refused = "nothing"
    except grpc.InferenceServerException as error:
        refused = str(error)
    # All wait in the server's queue, which is long for this model, until five of them are cancelled.
    errors = []
    calls = [
        client.async_infer(model, [text], outputs=outputs, callback=lambda result, error: errors.append(error))
        for _ in range(8)
    ]
    for call in calls[:5]:
        call.cancel()
    for _ in range(1000):
        if len(errors) == len(calls):
            break
        time.sleep(0.02)
    cancelled = sum("CANCELLED" in str(error) for error in errors)
    answered = sum(error is None for error in errors)
    found = answer.as_numpy("TEXT").ravel()[0].decode()
    print(json.dumps({"text": found, "refused": refused, "cancelled": cancelled, "answered": answered}))


if __name__ == "__main__":
    main()
