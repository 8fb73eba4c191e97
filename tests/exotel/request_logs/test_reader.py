"""Requests in what people have of them, in every form that is likely to be at hand."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.cause import judge
from switchhook.exotel.request_logs.found import is_passthru, shown_path
from switchhook.exotel.request_logs.reader import LogReader
from switchhook.exotel.request_logs.text import lines_of
from switchhook.exotel.wire.passthru import parse

CASES = Path(__file__).parent / "cases"
DONE = "CallSid=d1&Stream%5BStatus%5D=completed&Stream%5BDisconnectedBy%5D=bot"
SECRET = "9DcZsEH74jFSiEob5lBDQncWBUkgEZPP"


def read(content):
    """The passthrus in a content, the other requests, and the lines without any."""
    data = content if isinstance(content, bytes) else content.encode(errors="surrogateescape")
    reader = LogReader()
    lines = lines_of(io.BufferedReader(io.BytesIO(data)))
    found = [each for line in lines for each in reader.feed(line)] + list(reader.end())
    own = [each for each in found if is_passthru(each.request)]
    return own, [each for each in found if each not in own], reader.left


def causes(found):
    return [str(judge(parse(each.request)).cause) for each in found]


THREE = ["bot_done", "connect_failed", "throttled"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(
            (name, THREE)
            for name in (
                "morgan_dev.log",
                "rails.log",
                "iis_w3c.log",
                "starlette_queryparams.log",
                "alb.log",
                "nginx_combined.log",
                "python_immutablemultidict.log",
                "lambda_v2_event.jsonl",
                "cloudflare.jsonl",
                "docker_json_file.jsonl",
                "params_flat.json",
                "browser.har",
            )
        ),
        ("app_mixed.log", []),
        ("curl_G.txt", ["throttled"]),
        ("curl_multiline.txt", ["connect_failed"]),
        ("env_pairs_multiline.txt", ["throttled"]),
        ("seed_pretty.txt", ["bot_done"]),
        ("seed_test2_pretty.json", ["connect_failed"]),
    ],
)
def test_what_was_met_in_the_field(name, expected):
    assert causes(read((CASES / name).read_bytes())[0]) == expected


PAIRS = {
    "CallSid": "9c1e52a07b3d4f0a8d21b6c45e7f1ab8",
    "CallFrom": "09000012345",
    "Created": "Fri, 28 Nov 2025 16:20:10",
    "Stream[StreamSID]": "4d0c7e2f91ab4c3e8f50a1b2c3d41ab8",
    "Stream[Status]": "failed",
    "Stream[StreamUrl]": "ws://192.0.2.20:5007/media",
    "Stream[Error]": "3009 dial tcp 192.0.2.20:5007: connect: connection refused",
}
Q = "&".join(f"{quote(key)}={quote(value)}" for key, value in PAIRS.items())
RAW = "&".join(f"{key}={quote(value)}" for key, value in PAIRS.items())
PATH = f"/passthru/sales/{SECRET}?{Q}"
URL = f"https://hooks.example.com{PATH}"
NESTED = {
    "CallSid": PAIRS["CallSid"],
    "CallFrom": PAIRS["CallFrom"],
    "Created": PAIRS["Created"],
    "Stream": {key[7:-1]: value for key, value in PAIRS.items() if key.startswith("Stream[")},
}
IP = "13.126.10.20"
RUBY = json.dumps(PAIRS).replace('": "', '"=>"')
COMMON = f'{IP} - - [28/Nov/2025:16:21:02 +0530] "GET {PATH} HTTP/1.1" 200 2'
ESCAPED = Q.replace("&", r"\u0026")
JS = "{\n" + "".join(f"  '{key}': '{value}',\n" for key, value in PAIRS.items()) + "}"
PHP = "Array\n(\n" + "".join(f"    [{k}] => {v}\n" for k, v in PAIRS.items()) + ")\n"

FORMS = {
    "apache common": COMMON,
    "nginx combined": f'{COMMON} "-" "Exotel/1.0"',
    "nginx with a blank and quotes": f'{IP} - - [t] "GET /p?{RAW} HTTP/1.1" 200 2',
    "nginx json": json.dumps({"request_uri": PATH, "request_method": "GET", "status": 200}),
    "nginx json, the request line": json.dumps({"request": f"GET {PATH} HTTP/1.1"}),
    "nginx json, args": json.dumps({"uri": "/passthru", "args": Q}),
    "caddy": json.dumps({"level": "info", "request": {"method": "GET", "uri": PATH}}),
    "traefik": json.dumps({"RequestMethod": "GET", "RequestPath": PATH}),
    "google's load balancer": json.dumps({"httpRequest": {"requestUrl": URL}}),
    "haproxy": f'haproxy[1]: {IP}:4021 [t] in~ app/s1 0/0/1/2/3 200 2 - - -- "GET {PATH} HTTP/1.1"',
    "classic elb": f'2025-11-28T10:51:02Z lb {IP}:1 10.0.0.1:80 0 0 0 200 2 "GET {URL} HTTP/1.1"',
    "cloudfront": "#Version: 1.0\n#Fields: date cs-method cs-uri-stem sc-status cs-uri-query\n"
    f"2025-11-28\tGET\t/passthru\t200\t{Q}",
    "heroku": f'heroku[router]: at=info method=GET path="{PATH}" host=x status=200 bytes=2',
    "logfmt": f'level=info msg=request method=GET uri="{PATH}" status=200',
    "logfmt, the query": f'level=info path=/passthru query="{Q}"',
    "morgan tiny": f"GET {PATH} 200 2 - 3.412 ms",
    "morgan dev": f"\x1b[0mGET {PATH} \x1b[32m200\x1b[0m 3.412 ms - 2\x1b[0m",
    "rails": f'Started GET "{PATH}" for {IP} at 2025-11-28 16:21:02 +0530',
    "rails twice": f'Started GET "{PATH}" for {IP} at x\nProcessing by X#y as HTML\n'
    f"  Parameters: {RUBY}",
    "sinatra": f'{IP} - - [28/Nov/2025:16:21:02 +0530] "GET {PATH} HTTP/1.1" 200 2 0.0034',
    "uvicorn": f'INFO:     {IP}:4021 - "GET {PATH} HTTP/1.1" 200 OK',
    "gunicorn": f'{IP} - - [28/Nov/2025:16:21:02 +0530] "GET {PATH} HTTP/1.1" 200 2 "-" "Exotel"',
    "werkzeug": f'{IP} - - [28/Nov/2025 16:21:02] "\x1b[32mGET {PATH} HTTP/1.1\x1b[0m" 302 -',
    "django": f'[28/Nov/2025 16:21:02] "GET {PATH} HTTP/1.1" 200 2',
    "django's QueryDict": f"<QueryDict: { ({key: [value] for key, value in PAIRS.items()}) }>",
    "starlette": f"INFO:root:QueryParams('{Q}')",
    "flask": f"args=ImmutableMultiDict({list(PAIRS.items())})",
    "python's dict": f"2025-11-28 INFO {PAIRS}",
    "python's dict, nested": f"params: {NESTED}",
    "python's dict_items": f"dict_items({list(PAIRS.items())})",
    "ruby": f"params: {RUBY}",
    "ruby 3.4": f"params: {RUBY.replace('=>', ' => ')}",
    "javascript": JS,
    "javascript, by its own names": "{ CallSid: '9c1e52a07b3d4f0a8d21b6c45e7f1ab8', CallFrom: "
    f"'09000012345', Created: '{PAIRS['Created']}', Stream: {{ StreamSID: "
    "'4d0c7e2f91ab4c3e8f50a1b2c3d41ab8', Status: 'failed', StreamUrl: "
    f"'ws://192.0.2.20:5007/media', Error: '{PAIRS['Stream[Error]']}' }} }}",
    "php": PHP,
    "cloudflare": json.dumps({"ClientRequestMethod": "GET", "ClientRequestURI": PATH}),
    "lambda v1": json.dumps({"httpMethod": "GET", "path": "/x", "queryStringParameters": PAIRS}),
    "lambda v1, many": json.dumps(
        {"multiValueQueryStringParameters": {k: [v] for k, v in PAIRS.items()}}
    ),
    "lambda v2": json.dumps({"version": "2.0", "rawPath": "/p", "rawQueryString": Q}),
    "lambda v2, laid out": json.dumps({"rawPath": "/p", "rawQueryString": Q}, indent=2),
    "lambda's log": f"2025-11-28T10:51:02Z\tb3b0\tINFO\t{json.dumps({'rawQueryString': Q})}",
    "cloudwatch": json.dumps({"events": [{"timestamp": 1, "message": COMMON}]}),
    "cloudwatch insights": json.dumps({"@timestamp": "x", "@message": COMMON}),
    "docker": json.dumps({"log": COMMON + "\n", "stream": "stdout"}),
    "kubernetes": f"2025-11-28T10:51:02.123Z stdout F {COMMON}",
    "journald": f"Nov 28 16:21:02 host app[12]: {COMMON}",
    "journald as json": json.dumps({"MESSAGE": COMMON, "_PID": "12"}),
    "winston": json.dumps({"level": "info", "message": f"GET {PATH}"}),
    "winston, the parameters": json.dumps({"level": "info", "message": "x", "query": PAIRS}),
    "pino": json.dumps({"level": 30, "req": {"method": "GET", "url": PATH, "query": NESTED}}),
    "bunyan": json.dumps({"name": "x", "req": {"method": "GET", "url": PATH}, "msg": "done"}),
    "ecs": json.dumps({"url": {"original": PATH}, "http": {"request": {"method": "GET"}}}),
    "go's json": '{"msg":"GET /passthru?' + ESCAPED + '"}',
    "go's text": f'level=INFO msg=request url="{PATH}"',
    "har": json.dumps({"log": {"entries": [{"request": {"method": "GET", "url": URL}}]}}, indent=1),
    "curl": f"curl -s '{URL}' -H 'accept: */*'",
    "curl without quotes": f"$ curl {URL.replace('&', chr(92) + '&')}",
    "curl over lines": f"curl -X GET \\\n  '{URL}' \\\n  -H 'accept: */*'",
    "curl of windows": f'curl -X GET ^\n  "{URL}"',
    "curl -G": "curl -G https://h.example/p "
    + " ".join(f"--data-urlencode '{key}={value}'" for key, value in PAIRS.items()),
    "curl -d": f"curl https://h.example/p -d '{Q}'",
    "curl --json": f"curl --json '{json.dumps(PAIRS)}' https://h.example/p",
    "csv, urls": f"time,url,status\n2025-11-28,{URL},200",
    "csv, parameters": ",".join(PAIRS) + "\n" + ",".join(f'"{v}"' for v in PAIRS.values()),
    "tsv, queries": f"time\tquery\n2025-11-28\t{Q}",
    "a url": URL,
    "a url in a sentence": f"it asked {URL} at noon",
    "a path": PATH,
    "a request line": f"GET {PATH} HTTP/1.1",
    "a request's head": f"GET {PATH} HTTP/1.1\nHost: hooks.example.com\nUser-Agent: Exotel\n",
    "a query": Q,
    "a query with brackets": f"?{RAW}",
    "a page's source": URL.replace("&", "&amp;"),
    "pairs": "\n".join(f"{key}={value}" for key, value in PAIRS.items()),
    "pieces of a query": Q.replace("&", "\n"),
    "parameters as json": json.dumps(PAIRS),
    "parameters as json, nested": json.dumps(NESTED, indent=2),
}


@pytest.mark.parametrize("form", FORMS)
def test_one_request_in_each_form(form):
    found, _, _ = read(FORMS[form])
    assert len(found) == 1, [each.request for each in found]
    passthru = parse(found[0].request)
    assert passthru.call_sid == PAIRS["CallSid"]
    assert passthru.stream is not None
    assert passthru.stream.sid == PAIRS["Stream[StreamSID]"]
    assert passthru.stream.error == PAIRS["Stream[Error]"]
    assert passthru.stream.url == PAIRS["Stream[StreamUrl]"]
    assert passthru.created_raw == PAIRS["Created"]
    assert causes(found) == ["connect_failed"]


@pytest.mark.parametrize("form", FORMS)
def test_two_of_them_are_two(form):
    other = FORMS[form].replace(PAIRS["CallSid"], "f" * 32)
    found, _, _ = read(f"{FORMS[form]}\n\n{other}\n")
    assert len(found) == 2, [each.request for each in found]


@pytest.mark.parametrize(
    "wrap",
    [
        gzip.compress,
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.decode().encode("utf-16"),
        lambda data: data.decode().encode("utf-16-le"),
        lambda data: data.decode().encode("utf-16-be"),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: gzip.compress(data.decode().encode("utf-16")),
    ],
)
def test_a_file_may_be_packed_or_of_another_encoding(wrap):
    content = (CASES / "nginx_combined.log").read_bytes()
    assert causes(read(wrap(content))[0]) == THREE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# a comment",
        "hello, this is prose: it says that a = b",
        "GET /favicon.ico HTTP/1.1",
        f'{IP} - - [t] "GET /healthz?verbose=1 HTTP/1.1" 200 2',
        "curl https://example.com/",
        '{"status": "success", "from": "x", "to": "y"}',
        "{'status': 'failed', 'detail': 1}",
        "status=failed&from=x",
        "{",
        "[1, 2",
        "PATH=/usr/bin\nHOME=/root\nFrom=me",
        "time,url,status\n1,https://example.com/,200",
        "call=9c1e52a0 status=failed detailed=Streaming_call_throttled",
        f'{IP} - - [t] "\\x16\\x03\\x01\\x02" 400 0',
        "Error while reading Stream[Status]",
        "Stream: 12",
        "a,b\rc,url",
    ],
)
def test_what_is_no_passthru(text):
    assert read(text)[0] == []


def test_what_else_was_there_is_told_without_secrets():
    content = (
        f'x "GET /passthru/sales/{SECRET} HTTP/1.1" 403\nnothing\nx "GET /favicon.ico HTTP/1.1"\n'
    )
    found, others, left = read(content)
    assert (found, left) == ([], [2])
    assert [shown_path(each) for each in others] == ["GET /passthru/sales/…", "GET /favicon.ico"]


def test_the_seed_pasted_whole():
    """The samples of Exotel's article, with the prose around them."""
    text = """How It Works

GET https://yourserver.com/passthru-handler?

CallSid=56b1234567abcdef89abcdef12345678&

Stream[StreamSID]=6f048d2e897a0d2d4029560f3f541947&

Stream[Status]=completed&

Stream[DisconnectedBy]=bot


Your backend must parse:

  • Nested keys (e.g., Stream[Status])

Sometimes, all parameters are sent in a single JSON string under the Stream key:

Stream={"StreamSID":"62aaa",

"RecordingUrl":"https://recordings.exotel.com/x",

"Status":"completed",

"DisconnectedBy":"user"}

Test 1: Call hung up during greeting

{

  "Status": "cancelled",

  "DisconnectedBy": "user"

}

Concurrency limit breaches trigger:

Stream[Status]=failed

Stream[DetailedStatus]=Streaming_call_throttled

Sample Response:

{

  "status": "success",

  "data": {"active": 3}

}
"""
    assert causes(read(text)[0]) == ["bot_done", "caller_left", "caller_left_early", "throttled"]


def test_lines_are_told_where_they_stand():
    content = f"\n# a comment\nprose\n{COMMON}\n\ncurl -G \\\n '{URL}'\nthe end\n"
    found, _, left = read(content)
    assert [each.line for each in found] == [4]  # the command tells the same request again
    assert left == [3, 8]


def test_a_request_that_is_sent_again_is_another():
    assert len(read(f"{COMMON}\n{COMMON}\n")[0]) == 2


def test_a_request_is_given_as_soon_as_it_is_whole():
    reader = LogReader()
    assert [len(list(reader.feed(line))) for line in (COMMON, "prose", COMMON)] == [1, 0, 1]


@given(
    st.text(max_size=400) | st.sampled_from(sorted(FORMS.values())).map(lambda t: t[: len(t) // 2])
)
def test_nothing_is_raised(text):
    read(text)


@given(st.dictionaries(st.sampled_from(sorted(PAIRS)), st.text(max_size=20), min_size=1))
def test_python_prints_are_read_as_python_meant_them(pairs):
    found, _, _ = read(str({"CallSid": "a1", **pairs}).replace("\n", " "))
    said = parse_qsl(found[0].request.query.decode(), keep_blank_values=True)
    assert said == list({"CallSid": "a1", **pairs}.items())


FAILED = "Stream[Status]=failed Stream[DetailedStatus]=Streaming_call_throttled"


@pytest.mark.parametrize(
    ("text", "sid", "cause"),
    [
        (f"10:00 gunicorn[12]: query=b'{DONE}' 200", "d1", "bot_done"),
        (f'10:00 gunicorn[12]: query=b"{DONE}" 200', "d1", "bot_done"),
        (f"time=t level=info query='{DONE}' status=200", "d1", "bot_done"),
        (f'level=info msg="CallSid=d1 {FAILED}"', "d1", "throttled"),
        (f"level=info CallSid=d1 {FAILED} status=200", "d1", "throttled"),
        (f"CallSid='d1', {FAILED.replace(' ', ', ')}", "d1", "throttled"),
        (f"CallSid=d1 {FAILED}", "d1", "throttled"),
        ('curl "http://h/p?CallSid=d1&Stream\\[Status\\]=in-progress"', "d1", "running"),
        ('curl -g "http://h/p?CallSid=d1&Stream[Status]=in-progress"', "d1", "running"),
        (
            'web_1  | {\nweb_1  |   "CallSid": "d1",\nweb_1  |   "Stream": {"Status": "failed",\n'
            'web_1  |   "DetailedStatus": "Streaming_call_throttled"}\nweb_1  | }\n',
            "d1",
            "throttled",
        ),
        (f'app-web-1  | 10.0.0.1 - - [t] "GET /p?{DONE} HTTP/1.1" 200 2', "d1", "bot_done"),
    ],
)
def test_what_a_newcomer_had(text, sid, cause):
    (found,), others, _ = read(text)
    assert others == []
    passthru = parse(found.request)
    assert (passthru.call_sid, str(judge(passthru).cause)) == (sid, cause)


def test_a_pipe_in_a_line_is_no_containers():
    (found,), _, _ = read("a | b | CallSid=d1&Stream[Status]=in-progress")
    assert parse(found.request).call_sid == "d1"
