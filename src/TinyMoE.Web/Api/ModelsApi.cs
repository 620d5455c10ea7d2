using System.Text.Json;
using Microsoft.AspNetCore.Http;
using TinyMoE.App;

namespace TinyMoE.Web.Api;

/// <summary>/v1/models: the one model that is served.</summary>
internal sealed class ModelsApi(Serving serving)
{
    public Task ListAsync(HttpContext context) => Answer.JsonAsync(context, StatusCodes.Status200OK, json =>
    {
        json.WriteStartObject();
        json.WriteString("object", "list");
        json.WriteStartArray("data");
        Write(json);
        json.WriteEndArray();
        json.WriteEndObject();
    });

    public Task FindAsync(HttpContext context)
    {
        string name = context.Request.RouteValues["id"] as string ?? "";
        return name == serving.Name ? Answer.JsonAsync(context, StatusCodes.Status200OK, Write) : throw Settings.NoModel(name);
    }

    private void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("id", serving.Name);
        json.WriteString("object", "model");
        json.WriteNumber("created", serving.Opened.ToUnixTimeSeconds());
        json.WriteString("owned_by", "tinymoe");
        json.WriteNumber("context_length", serving.Context);
        json.WriteEndObject();
    }
}
