using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace TinyMoE.Web.Api;

/// <summary>An answer that says what is wrong, as OpenAI's API does.</summary>
internal sealed class ApiError(int status, string message, string? param = null, string? code = null) : Exception(message)
{
    public int Status => status;

    /// <summary>The field that is wrong.</summary>
    public static ApiError Bad(string? param, string message, string? code = null) =>
        new(StatusCodes.Status400BadRequest, message, param, code);

    /// <summary>A field that this server does not do.</summary>
    public static ApiError Unsupported(string param, string why) => Bad(param, $"'{param}' {why}", "unsupported_parameter");

    /// <summary>What an error of any kind is to the one who asked.</summary>
    public static ApiError Of(Exception e) => e switch
    {
        ApiError error => error,
        App.ServingBusyException => new ApiError(StatusCodes.Status429TooManyRequests, e.Message, code: "busy"),
        ObjectDisposedException => Stopping(),
        BadHttpRequestException bad => new ApiError(bad.StatusCode, bad.StatusCode switch
        {
            StatusCodes.Status413PayloadTooLarge => "The body of the request is too large.",
            StatusCodes.Status408RequestTimeout => "The body of the request came too slowly.",
            _ => "The request is no request of HTTP that can be read.",
        }),
        TinyMoEException => Bad(null, e.Message),
        _ => new ApiError(StatusCodes.Status500InternalServerError, "Something went wrong that nobody expected."),
    };

    /// <summary>The server ends while the answer is written.</summary>
    public static ApiError Stopping() => new(
        StatusCodes.Status503ServiceUnavailable, "The server is stopping, and the answer was cut.", code: "server_stopping");

    /// <summary>{"error": {"message": ..., "type": ..., "param": ..., "code": ...}}</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteStartObject("error");
        json.WriteString("message", Message);
        json.WriteString("type", Type);
        json.WriteString("param", param);
        json.WriteString("code", code);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private string Type => status switch
    {
        StatusCodes.Status401Unauthorized => "authentication_error",
        StatusCodes.Status403Forbidden => "permission_error",
        StatusCodes.Status429TooManyRequests => "rate_limit_error",
        >= StatusCodes.Status500InternalServerError => "server_error",
        _ => "invalid_request_error",
    };
}
