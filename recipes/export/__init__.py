"""What becomes of a trained adapter: a model folder, GGUF, Modelfile, model card, upload."""
