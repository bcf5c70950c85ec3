# Whetstone with CUDA. Build, then try it; weights, rows and runs stay in the folders that are mounted:
#   docker build -t whetstone .
#   docker run --gpus all -it -v "$PWD/models:/whetstone/models" -v "$PWD/runs:/whetstone/runs" -v "$PWD/data:/whetstone/data" \
#     -v "$HOME/.cache/huggingface:/root/.cache/huggingface" -e OPENAI_API_KEY whetstone make demo
FROM nvidia/cuda:12.8.1-devel-ubuntu24.04
ENV DEBIAN_FRONTEND=noninteractive PYTHONUNBUFFERED=1 LANG=C.UTF-8
RUN apt-get update && apt-get install -y --no-install-recommends \
      git make ca-certificates build-essential python3 python3-venv python3-dev fonts-noto-cjk \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /whetstone
COPY . .
RUN make setup
RUN make list > /dev/null
CMD ["make", "help"]
