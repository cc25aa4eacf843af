namespace Harness.Datasets;

/// <summary>Prompts in the order of their file. Reading again gives the same prompts again.</summary>
public interface IPromptSource
{
    /// <summary>Name of the dataset, as in <c>--dataset</c> and the column <c>dataset</c>.</summary>
    string Dataset { get; }

    /// <summary>What the reading so far left out.</summary>
    ReadLog Log { get; }

    /// <summary>Streams the file, so that a limit reads no more than it needs.</summary>
    /// <exception cref="Harness.Common.UserErrorException">A record is malformed (named by file and line), or the file cannot be
    /// read.</exception>
    IEnumerable<Prompt> Read();
}
