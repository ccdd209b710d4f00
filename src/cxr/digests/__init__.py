"""Digests of everything that is compared: canonical JSON, files, trees and tensors."""
