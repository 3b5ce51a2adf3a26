namespace Quern.Models;

/// <summary>How far a model is loaded.</summary>
/// <param name="Tensors">Tensors bound.</param>
/// <param name="TensorCount">Tensors in the file.</param>
/// <param name="Bytes">Bytes of the tensors bound.</param>
/// <param name="ByteCount">Bytes of all tensors.</param>
public readonly record struct LoadProgress(int Tensors, int TensorCount, long Bytes, long ByteCount);
