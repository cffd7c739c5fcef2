"""The date model behind FastAPI, by cuseq's Python package: what libtriton_cuseq.so is measured beside."""

import os

import cuseq
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

app = FastAPI()
model = cuseq.load(os.environ["CUSEQ_MODEL"])


@app.post("/translate")
async def translate(request: Request):
    texts = (await request.json())["texts"]
    return JSONResponse({"texts": list(model.translate(texts, threads=1, batch=len(texts)))})
