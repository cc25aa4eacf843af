namespace Harness.Common;

/// <summary>Values of an enumeration as the words that people write and files hold: their names in lower case.</summary>
public static class EnumWord
{
    public static string Of<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    /// <summary>The value that a word names; null where none is called so.</summary>
    public static T? Find<T>(string word) where T : struct, Enum => Find(word, Enum.GetValues<T>());

    /// <inheritdoc cref="Find{T}(string)"/>
    /// <param name="among">The values that may be meant.</param>
    public static T? Find<T>(string word, IReadOnlyList<T> among) where T : struct, Enum =>
        among.Select(value => (T?)value).FirstOrDefault(value => Of(value!.Value) == word);

    /// <summary>All of them, with commas between.</summary>
    public static string All<T>() where T : struct, Enum => string.Join(", ", Enum.GetValues<T>().Select(Of));
}
