using System.CommandLine;
using System.Text;
using Harness.Reporting;
using Harness.Reports.Collecting;
using Harness.Reports.Exporting;

namespace Harness.Verbs;

/// <summary><c>harness export</c>: runs in the formats of other people's tools.</summary>
internal static class ExportVerb
{
    public static Command Create()
    {
        var command = new Command("export",
            "Write the runs below the directories in a format that other tools read; runs without valid energy are left out where the "
            + "format could not say so.");
        var directories = new Argument<string[]>("DIR")
        {
            Description = "run directories, or directories that hold them",
            Arity = ArgumentArity.OneOrMore
        };
        var format = new Option<string>("--format")
        {
            HelpName = "NAME",
            Description = string.Join(", ", Export.Formats.Select(known => known.Name)),
            Required = true
        };
        var output = new Option<string>("--out")
        {
            HelpName = "FILE",
            Description = "where to write; - for standard output",
            DefaultValueFactory = _ => "-"
        };
        var invalid = new Option<bool>("--include-invalid") { Description = "also runs whose energy is not valid" };
        command.Arguments.Add(directories);
        command.Options.Add(format);
        command.Options.Add(output);
        command.Options.Add(invalid);
        command.SetAction(parsed =>
        {
            var asked = Export.Find(parsed.GetValue(format)!);
            if (!asked.IsText) TableForms.MustBeFile(parsed.GetValue(output)!);
            using var standardOutput = new MemoryStream();
            var progress = ProgressReporter.ForConsole();
            var code = new Export(asked, standardOutput) { Progress = progress }
                .Run(parsed.GetValue(directories)!, parsed.GetValue(output)!, parsed.GetValue(invalid), new NoteWriter(progress));
            parsed.InvocationConfiguration.Output.Write(Encoding.UTF8.GetString(standardOutput.GetBuffer(), 0, (int)standardOutput.Length));
            return code;
        });
        return command;
    }
}
