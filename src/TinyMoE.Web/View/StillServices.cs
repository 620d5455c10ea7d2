using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.JSInterop;

namespace TinyMoE.Web.View;

/// <summary>What components need that are drawn once, without a browser.</summary>
internal static class StillServices
{
    /// <summary>A collection with them; what the components show is added by whoever draws.</summary>
    public static ServiceCollection New(Viewed viewed)
    {
        ServiceCollection parts = new();
        parts.AddSingleton(viewed);
        parts.AddSingleton<IJSRuntime, NoScripts>().AddSingleton<NavigationManager, NoPlaces>().AddScoped<Radzen.TooltipService>();
        return parts;
    }

    /// <summary>The HTML of a component.</summary>
    public static async Task<string> RenderAsync<T>(ServiceCollection parts, IDictionary<string, object?> parameters)
        where T : IComponent
    {
        await using ServiceProvider services = parts.BuildServiceProvider();
        await using HtmlRenderer renderer = new(services, NullLoggerFactory.Instance);
        return await renderer.Dispatcher.InvokeAsync(async () =>
            (await renderer.RenderComponentAsync<T>(ParameterView.FromDictionary(parameters))).ToHtmlString());
    }

    /// <summary>No script runs: what a component asks of one is answered by nothing.</summary>
    private sealed class NoScripts : IJSRuntime
    {
        public ValueTask<T> InvokeAsync<T>(string identifier, object?[]? args) => ValueTask.FromResult<T>(default!);

        public ValueTask<T> InvokeAsync<T>(string identifier, CancellationToken cancellationToken, object?[]? args) =>
            ValueTask.FromResult<T>(default!);
    }

    /// <summary>Nobody goes to another page.</summary>
    private sealed class NoPlaces : NavigationManager
    {
        public NoPlaces() => Initialize("file:///", "file:///report.html");
    }
}
