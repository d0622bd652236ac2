"""Texts that hold no secret, though much in them looks like one: data for tests.

What is random in them is made when the tests run, from one seed.
"""

import base64
import random
import uuid

_CHANCE = random.Random(20261128)


def _hex(size: int) -> str:
    return "".join(_CHANCE.choice("0123456789abcdef") for _ in range(size))


def _word(size: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return "".join(_CHANCE.choice(letters) for _ in range(size))


def _base64(size: int) -> str:
    return base64.b64encode(_CHANCE.randbytes(size)).decode()


def _uuid() -> str:
    return str(uuid.UUID(int=_CHANCE.getrandbits(128), version=4))


_UNDERSCORED = (
    "call msg resp run thread asst file step vs req evt cus ch pi sub price prod in acct".split()
)
_DASHED = "chatcmpl cmpl gen ftjob batch org file proj mdl".split()
_OF_RESPONSES = "resp msg rs fc ws ig ci conv item".split()
IDS = [
    *(f"{name}_{_word(24)}" for name in _UNDERSCORED),
    *(f"{name}-{_word(29)}" for name in _DASHED),
    *(f"{name}_{_hex(48)}" for name in _OF_RESPONSES),
    *(f"toolu_01{_word(22)}" for _ in range(3)),
    *(f"msg_01{_word(22)}" for _ in range(2)),
    *(_uuid() for _ in range(4)),
    f"The order {_uuid()} was shipped.",
    f'{{"id": "{_uuid()}", "parent_id": "{_uuid()}"}}',
    f'{{"session_id": "{_uuid()}", "user_id": "{_uuid()}", "trace_id": "{_hex(32)}"}}',
    f"X-Request-Id: req_{_hex(32)}",
    f"traceparent: 00-{_hex(32)}-{_hex(16)}-01",
    f"cf-ray: {_hex(16)}-FRA",
    f'"system_fingerprint": "fp_{_hex(10)}"',
    f'"prompt_cache_key": "{_uuid()}"',
    f'"prompt_cache_key": "agent-run-{_hex(12)}"',
    f'"safety_identifier": "user-{_hex(16)}"',
    f'"idempotency_key": "{_uuid()}"',
    f'"cache_key": "{_hex(40)}"',
    f'ETag: "{_hex(32)}"',
    f'"encrypted_content_hash": "{_hex(64)}"',
]  # fmt: skip
HASHES = [
    *(f"commit {_hex(40)}" for _ in range(4)),
    f"git checkout {_hex(40)} -- src/main.py",
    f"index {_hex(7)}..{_hex(7)} 100644",
    f"https://github.com/org/repo/commit/{_hex(40)}",
    f"https://github.com/org/repo/blob/{_hex(40)}/src/lib/index.ts#L10-L20",
    f"sha256:{_hex(64)}",
    f"image: registry.example.com/app@sha256:{_hex(64)}",
    f'"integrity": "sha512-{_base64(64)}"',
    f'"integrity": "sha1-{_base64(20)}"',
    f'integrity="sha384-{_base64(48)}" crossorigin="anonymous"',
    f'"resolved": "https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz#{_hex(40)}"',
    f'checksum = "{_hex(64)}"',
    f"h1:{_base64(32)}",
    f"--hash=sha256:{_hex(64)} \\",
    f"md5sum: {_hex(32)}  archive.tar.gz",
    f"{_hex(64)}  promptdeck-0.1.0-py3-none-any.whl",
    f"SHA256 (file.iso) = {_hex(64)}",
    f"Merge {_hex(40)} into {_hex(40)}",
    f'<script src="/assets/app.{_hex(20)}.js"></script>',
    f"/_next/static/chunks/{_hex(16)}.js",
    f"main.{_hex(8)}.chunk.css",
    f"fingerprint SHA256:{_base64(32)[:43]}",
    f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{_base64(33)[:43]} me@host",
    f"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ{_base64(240)} me@host",
    f"-----BEGIN CERTIFICATE-----\n{_base64(48)}\n{_base64(48)}\n-----END CERTIFICATE-----",
    f"-----BEGIN PUBLIC KEY-----\n{_base64(48)}\n{_base64(48)}\n-----END PUBLIC KEY-----",
    f"-----BEGIN PGP SIGNATURE-----\n\n{_base64(48)}\n=abcd\n-----END PGP SIGNATURE-----",
]
BLOBS = [
    *(f"data:image/png;base64,{_base64(size)}" for size in (30, 100, 300, 3000)),
    f'{{"type": "image_url", "image_url": {{"url": "data:image/jpeg;base64,{_base64(900)}"}}}}',
    f'{{"b64_json": "{_base64(600)}"}}',
    f'{{"embedding": "{_base64(1200)}"}}',
    f'{{"audio": {{"data": "{_base64(600)}", "format": "wav"}}}}',
    f'"signature": "{_base64(210)}"',
    f'"thoughtSignature": "{_base64(210)}"',
    f'"encrypted_content": "gAAAAAB{_base64(210)}"',
    f"@font-face {{ src: url(data:font/woff2;base64,{_base64(300)}) }}",
    base64.b64encode(b"Only an ordinary sentence, encoded for no good reason.").decode(),
    base64.b64encode(b'{"user": "ada", "role": "admin", "age": 36}').decode(),
    f"url(data:image/svg+xml;base64,{base64.b64encode(b'<svg xmlns=...></svg>').decode()})",
    f"AAAA{'A' * 60}",
    "x" * 80,
    "=" * 80,
    "-" * 80,
    "_" * 40,
    "0" * 64,
    "1234567890" * 4,
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
]
CODE = """
token = get_token()
token = self._tokens.pop(0)
tokens = tokenizer.encode("hello world")
max_tokens: 100
"max_tokens": 4096, "max_completion_tokens": 8192
"usage": {"prompt_tokens": 1234567890, "completion_tokens": 42, "total_tokens": 1234567932}
password: str
password: Optional[str] = None
password = input("Password: ")
password = getpass.getpass()
password = os.getenv("DB_PASSWORD")
password=args.password, username=args.username
if password != confirm_password2: raise ValueError
def check_password(password: str, hashed: bytes) -> bool:
passwordField.value = newPassword1.value
<input type="password" name="password" autocomplete="current-password">
<label for="password1">Password:</label>
api_key=os.environ["OPENAI_API_KEY"]
api_key=os.environ.get("OPENAI_API_KEY2", "")
api_key = config.providers[provider2].api_key
apiKey: process.env.OPENAI_API_KEY,
const apiKey = await secrets.getSecretValue(secretName2);
client = OpenAI(api_key=settings.openai_api_key)
OPENAI_API_KEY=$OPENAI_API_KEY
OPENAI_API_KEY=${OPENAI_API_KEY:-unset}
OPENAI_API_KEY: ${{ secrets.OPENAI_API_KEY }}
export GITHUB_TOKEN="$(gh auth token)"
GITHUB_TOKEN: ${{ github.token }}
secret = secrets.token_urlsafe(32)
secret_key = base64.b64decode(encoded_secret_key_v2)
auth = HTTPBasicAuth(username, password)
headers = {"Authorization": f"Bearer {token}"}
headers: { Authorization: `Bearer ${accessToken}` }
-H "Authorization: Bearer $OPENAI_API_KEY"
"Authorization": "Bearer " + apiKey
Authorization: Bearer <token>
Authorization: Basic <base64 of user:password>
www-authenticate: Bearer realm="https://auth.example.com/token",service="registry"
credentials = service_account.Credentials.from_service_account_file(path2)
private_key = serialization.load_pem_private_key(data, password=None)
primary_key=True, unique=True
PRIMARY_KEY = "user_profile_id_v2_production_2024"
SORT_KEY=created_at_2024_01_partition_v2
CACHE_KEY=user_profile_cache_v2_production_eu
key = f"cache:{user_id}:{version2}"
public_key: 04a1b2c3d4e5f60718293a4b5c6d7e8f
for key, value in sorted(items.items(), key=lambda item: item[1]):
keyboard_shortcut_for_the_command_palette_v2
csrf_token = form.csrf_token.data
next_page_token: CAESBQiAgICAARIKCgZ0aHJlYWQQAg
"nextPageToken": "CAESBQiAgICAARIKCgZ0aHJlYWQQAg"
pageToken=CAESBQiAgICAARIKCgZ0aHJlYWQQAg
eos_token: "<|endoftext|>", pad_token: "<pad>"
"eos_token": "<|im_end|>", "bos_token_id": 151643
token_type_ids, attention_mask, input_ids
class TokenBucketRateLimiter2(RateLimiterBase):
from google.oauth2.credentials import Credentials
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
resource "aws_secretsmanager_secret" "database_password_v2" {}
arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/db-AbCdEf
arn:aws:iam::123456789012:role/MyApplicationExecutionRole
projects/my-project-123/secrets/openai-api-key/versions/latest
@pytest.fixture
user@example.com, admin+test@sub.example.co.uk
git@github.com:org/repository-with-a-long-name.git
ssh://git@github.com/org/repository.git
https://user@bitbucket.org/team/repository.git
https://example.com/path?a=1&b=2@3
postgres://$USER:$PASSWORD@$HOST/$DB
postgres://{user}:{password}@{host}:{port}/{name}
postgres://<user>:<password>@localhost/db
redis://localhost:6379/0
mongodb://localhost:27017/test?retryWrites=true&w=majority
amqp://rabbitmq.default.svc.cluster.local:5672/%2F
https://fonts.googleapis.com/css2?family=Inter:wght@400;500;600&display=swap
https://cdn.jsdelivr.net/npm/bootstrap@5.3.3/dist/css/bootstrap.min.css
https://unpkg.com/react@18.3.1/umd/react.production.min.js
@babel/plugin-transform-runtime@^7.24.0
sk-learn-contrib-something-longer
#sk-container-id-12 div.sk-toggleable__label-arrow
task-1234567890abcdef1234
.btn-primary-outline-2:hover,.nav-link-active-3{color:#1a2b3c4d}
grid-template-columns:repeat(auto-fill,minmax(280px,1fr))
!function(e,t){"object"==typeof exports&&"undefined"!=typeof module?t(exports):e.a1b2=t}(this)
e.exports=function(t){return t&&t.__esModule?t:{default:t}},n.d(r,{Z:()=>a1})
var a=Object.prototype.hasOwnProperty,b=String.fromCharCode(65279);
const {t:e}=useTranslation(),[n,r]=useState(null),o=useRef(0x1f4a9b2c);
0x7fffffffffffffff, 0xdeadbeefcafebabe, 0x1234567890abcdef1234567890abcdef
[0.0023064255, -0.009327292, 0.015797527, -0.0077780345]
-3.141592653589793238462643383279e-10
2024-11-28T10:06:06.123456789Z
2024-11-28T10:06:06+01:00/P1Y2M10DT2H30M
192.168.100.200:54321, [2001:0db8:85a3:0000:0000:8a2e:0370:7334]:443
00:1B:44:11:3A:B7, 00-1B-44-11-3A-B7
978-3-16-148410-0, DE89370400440532013000, 4242 4242 4242 4242
+49 (0)30 1234567, 1-800-555-0199
org.springframework.boot.autoconfigure.security.oauth2.client
com.fasterxml.jackson.databind.deser.std.StdDeserializer$PrimitiveOrWrapper2
java.lang.NullPointerException: Cannot invoke "String.length()" because "<local4>" is null
node_modules/.pnpm/@typescript-eslint+parser@7.1.0_eslint@8.57.0/node_modules
/usr/lib/python3.11/site-packages/promptdeck/core/secrets/search.py:123
C:\\\\Users\\\\someone\\\\AppData\\\\Local\\\\Programs\\\\Python\\\\Python311\\\\python.exe
/nix/store/0c0fh3m5sz2n5w9l1pv4bqk6m8yzi7rj-python3-3.11.9/bin/python
/v1/organizations/12345/projects/67890/deployments/production-eu-1
s3://my-bucket-name-2024/some/long/prefix/part-00000-of-00100.parquet
gs://my-bucket/models/llama-3.1-8b-instruct/checkpoint-12345
docker.io/library/postgres:16.2-alpine3.19
ghcr.io/astral-sh/uv:0.5.4-python3.12-bookworm-slim
pypi-server-with-a-long-name npm_config_registry npm_package_version_1_2_3
gsk_model_configuration_for_everyone hf_hub_download_file_name_v2
re_compile_pattern_cache_2 sk_buff_head_init_class sl.something pa-11y
key-value-store-with-expiry-2 fc-list fc-cache-directory-for-fonts
pat.match(text2) pattern_matching_table_for_v2 session_key_exchange_2
tk-us-east-1-cluster eu-central-1a ap-southeast-2-backup-replica-01
glpat- ghp_ github_pat_ sk- xoxb- AKIA AIza hf_ npm_ are heads of tokens
ghp_... and sk-... and xoxb-... are shortened
sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
sk-proj-your-project-key-goes-here
sk-your-api-key
sk-...abcd
OPENAI_API_KEY=sk-...
OPENAI_API_KEY="your-api-key-here"
OPENAI_API_KEY=YOUR_API_KEY
OPENAI_API_KEY=<your OpenAI key>
API_KEY=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
API_KEY=changeme-changeme-1234
API_TOKEN=insert_your_token_here_123
SECRET_KEY=example-secret-key-for-docs-1
CLIENT_SECRET=placeholder-client-secret-2
DB_PASSWORD=changeme123
DB_PASSWORD=your_password_1
DB_PASSWORD=<password>
DB_PASSWORD=********
password=xxxxxxxx1
password: "example-password-1"
Password: required, at least 8 characters
The password must have 12 characters, 1 digit and 1 symbol.
Forgot your password? Reset it at https://example.com/reset
Please enter the 2FA token: it is 6 digits long.
The token count is 12345 and the secret is that there is none.
access_token=ACCESS_TOKEN&client_id=CLIENT_ID
"api_key": "API_KEY_PLACEHOLDER_1"
"token": "my-token-placeholder-123"
auth: { type: "oauth2", flow: "client_credentials_v2" }
"auth": "none", "authentication": "session_cookie_based_2"
"authorization_endpoint": "https://login.example.com/oauth2/v2.0/authorize"
"token_endpoint": "https://login.example.com/oauth2/v2.0/token"
"token_endpoint_auth_methods_supported": ["client_secret_basic"]
token: continuation
"token": "Hello", "logprob": -0.31725305, "bytes": [72, 101, 108, 108, 111]
"token": "internationalization", "logprob": -1.5
"token": " counterrevolutionaries"
secretName: my-application-tls-cert-2024
secretKeyRef: { name: openai-credentials-v2, key: api-key }
apiVersion: external-secrets.io/v1beta1
valueFrom: { secretKeyRef: { name: db-credentials, key: password } }
Basic usage, Basic Authentication, BasicConfigurator, Basic abcdefgh
Bearer token, Bearer authentication, bearer of bad news 2024
model: gpt-4o-mini-2024-07-18
model: claude-sonnet-4-5-20250929-v1:0
model: anthropic.claude-3-5-sonnet-20241022-v2:0
model: meta-llama/Llama-3.3-70B-Instruct-Turbo-Free
model: accounts/fireworks/models/deepseek-v3p1-terminus
model: Qwen/Qwen2.5-Coder-32B-Instruct-GPTQ-Int4
model: text-embedding-3-large-2024-01-25
model: gemini-2.5-flash-preview-05-20
model: mistralai/Mixtral-8x7B-Instruct-v0.1
model: openrouter/nousresearch/hermes-3-llama-3.1-405b
deepseek-ai/DeepSeek-R1-Distill-Qwen-32B
ft:gpt-4o-mini-2024-07-18:my-org:custom_suffix:AbCd1234
Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor.
Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft
Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch
Pneumonoultramicroscopicsilicovolcanoconiosis and antidisestablishmentarianism
Das Passwort lautet wie immer, und der Schlüssel liegt unter der Matte.
Le mot de passe doit contenir au moins 8 caractères, dont 1 chiffre.
La contraseña debe tener 8 caracteres; el token expira en 3600 segundos.
パスワードを入力してください。トークンの有効期限は3600秒です。
请输入您的密码:长度至少为8个字符,包含数字和字母。
Пароль должен содержать не менее 8 символов, ключ API хранится отдельно.
كلمة المرور يجب أن تحتوي على 8 أحرف على الأقل
비밀번호는 8자 이상이어야 하며 API 키는 안전하게 보관하세요.
Το κλειδί API αποθηκεύεται στο αρχείο ρυθμίσεων.
MERGE_HEAD ORIG_HEAD FETCH_HEAD CHERRY_PICK_HEAD REBASE_HEAD_2
ERR_SSL_VERSION_OR_CIPHER_MISMATCH TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20241128T100606Z&X-Amz-Expires=300
AbstractSingletonProxyFactoryBean2, getUserTokenFromRequestHeaderV2
test_that_the_api_key_is_read_from_the_environment_variable_2
TestTokenRefreshWhenExpired::test_access_token_v2[case-12]
rzp_checkout_form_v2 shpat_ dop_v1_ lin_api_ figd_ pul- ntn_ rdme_ PMAK- NRAK-
eyJ is how JSON begins in base64, ya29. and 1//0 begin tokens of Google's
AKIAIOSFODNN7 is cut off, so is AIzaSyD
EAA standards, cio officers, dapi drivers, oy2 nothing, LTAI and AKID
SG.1.2, SG.a.b, s.format, hvs. v1.0-rc1 dp.pt. sl. st. t1.micro
""".strip().splitlines()
INNOCENT = [*IDS, *HASHES, *BLOBS, *CODE]
