using Harness.Common;

namespace Harness.Tensors;

/// <summary>
/// A device has no room for a tensor. The message says what was wanted and what lies there; what to do instead depends on the model's plan,
/// which a backend does not know.
/// </summary>
public sealed class DeviceMemoryException(string message, Exception? cause = null) : UserErrorException(message, cause);
