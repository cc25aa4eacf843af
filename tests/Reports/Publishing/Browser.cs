using OpenQA.Selenium;
using OpenQA.Selenium.Chrome;

namespace Harness.Tests.Reports.Publishing;

/// <summary>A real browser without a window: Chromium through its driver. Where either is missing, tests are not run.</summary>
internal sealed class Browser : IDisposable
{
    private static readonly string[] s_names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

    private readonly DirectoryInfo _profile;
    private readonly ChromeDriver _driver;

    public Browser(int width = 1400, int height = 1000)
    {
        var browser = s_names.Select(Find).FirstOrDefault(path => path != null);
        var driver = Find("chromedriver");
        if (browser == null || driver == null)
            Assert.Ignore($"this machine has no {(browser == null ? "Chromium" : "chromedriver")} (Debian packages chromium and "
                + "chromium-driver): the report's page is not looked at");
        _profile = Directory.CreateTempSubdirectory("harness-chromium-");
        var options = new ChromeOptions { BinaryLocation = browser };
        options.AddArguments("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
                $"--user-data-dir={_profile.FullName}", $"--window-size={width},{height}");
        options.SetLoggingPreference(LogType.Browser, LogLevel.All);
        options.SetLoggingPreference(LogType.Performance, LogLevel.All);
        var service = ChromeDriverService.CreateDefaultService(driver);
        service.SuppressInitialDiagnosticInformation = true;
        _driver = new ChromeDriver(service, options, TimeSpan.FromMinutes(3));
    }

    /// <summary>Opens a file and waits until its script says that all is drawn.</summary>
    public void Open(string file)
    {
        _driver.Navigate().GoToUrl(new Uri(file));
        Until("document.documentElement.dataset.ready === 'true'");
    }

    public T Read<T>(string expression) => (T)_driver.ExecuteScript($"return {expression}")!;

    public List<T> List<T>(string expression) =>
        [.. ((IEnumerable<object>)_driver.ExecuteScript($"return {expression}")!)
        .Select(value => (T)Convert.ChangeType(value, typeof(T), System.Globalization.CultureInfo.InvariantCulture)!)];

    public void Do(string script) => _driver.ExecuteScript(script);

    public void Click(string selector) => _driver.FindElement(By.CssSelector(selector)).Click();

    public void Type(string selector, string text)
    {
        var field = _driver.FindElement(By.CssSelector(selector));
        field.Clear();
        field.SendKeys(text);
    }

    public void Until(string condition)
    {
        for (var tries = 0; !Read<bool>(condition); tries++)
        {
            Assert.That(tries, Is.LessThan(600), $"{condition} did not come true within a minute; console: {string.Join('\n', Console())}");
            Thread.Sleep(100);
        }
    }

    /// <summary>What the page said on its console, errors of scripts and of the security policy among it.</summary>
    public IReadOnlyList<string> Console() =>
        [.. _driver.Manage().Logs.GetLog(LogType.Browser).Select(entry => $"{entry.Level}: {entry.Message}")];

    /// <summary>Addresses asked for since the last question.</summary>
    public IReadOnlyList<string> Requests() =>
        [.. from entry in _driver.Manage().Logs.GetLog(LogType.Performance)
            let message = System.Text.Json.Nodes.JsonNode.Parse(entry.Message)!["message"]!
            where (string?)message["method"] == "Network.requestWillBeSent"
            select (string)message["params"]!["request"]!["url"]!];

    public void Resize(int width, int height) => _driver.Manage().Window.Size = new(width, height);

    /// <param name="media">screen or print.</param>
    /// <param name="scheme">What the reader's system prefers: light or dark.</param>
    public void Emulate(string media, string scheme) =>
        _driver.ExecuteCdpCommand("Emulation.setEmulatedMedia", new Dictionary<string, object?>
        {
            ["media"] = media,
            ["features"] = new[] { new Dictionary<string, object> { ["name"] = "prefers-color-scheme", ["value"] = scheme } },
        });

    /// <summary>As printed, on the paper that the page's own style asks for.</summary>
    public byte[] Pdf() => Data("Page.printToPDF", "preferCSSPageSize");

    /// <summary>The whole page, into the folder that HARNESS_SCREENSHOTS names, for people to look at.</summary>
    public void Screenshot(string name)
    {
        if (Environment.GetEnvironmentVariable("HARNESS_SCREENSHOTS") is not { Length: > 0 } folder) return;
        File.WriteAllBytes(Path.Combine(folder, $"{name}.png"), Data("Page.captureScreenshot", "captureBeyondViewport"));
    }

    /// <summary>What a command of the DevTools protocol answers as its data.</summary>
    private byte[] Data(string command, string option)
    {
        var answer = (Dictionary<string, object>)_driver.ExecuteCdpCommand(command, new Dictionary<string, object?> { [option] = true })!;
        return Convert.FromBase64String((string)answer["data"]);
    }

    public void Dispose()
    {
        _driver.Dispose();
        _profile.Delete(recursive: true);
    }

    private static string? Find(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Where(folder => folder.Length > 0).Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
}
