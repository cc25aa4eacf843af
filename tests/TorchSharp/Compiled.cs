using System.Diagnostics;

namespace Harness.Tests.TorchSharp;

/// <summary>Libraries that a test compiles for itself.</summary>
internal static class Compiled
{
    /// <summary>A shared library of C source; ignores the test where there is no compiler.</summary>
    public static string Library(string path, string source, params string[] options)
    {
        var file = path + ".c";
        File.WriteAllText(file, source);
        try
        {
            using var compiler =
                Process.Start(new ProcessStartInfo("cc",
                ["-O1", "-shared", "-fPIC", "-o", path, file, .. options])
                { RedirectStandardError = true })!;
            var errors = compiler.StandardError.ReadToEnd();
            compiler.WaitForExit();
            Assert.That(compiler.ExitCode, Is.Zero, errors);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Ignore("this machine has no C compiler (cc): not run");
        }
        return path;
    }
}
