"""Secrets that their issuers give a head of its own: data alone, a row for each published shape.

A row is the kind's name, the heads that it may have, what follows them, and who publishes
it: `gl` is a rule of gitleaks (config/gitleaks.toml), `th` a detector of trufflehog
(pkg/detectors), `gh` a pattern that GitHub's secret scanning supports, and else the issuer's
own documentation, as of 2026-11. `shapes` reads the rows, and tests make a sample of
each, which is how often what they say has been tried.

What follows a head is written in parts: a class of characters and how many, or literal
text in quotes. The classes:

    h, H  hex in lower case, in any      A, a, U  letters and digits: any, lower, upper
    d     digits                         w        base64url: also - and _
    L     letters                        s, b, x  also _; base64 (+ and /); also _ = . -
    u     a UUID (takes no number)       ?        behind a part: it may be missing

`32+` are 32 or more, `8-40` between. A row whose last part has neither is open at its end
(issuers have made keys longer: GitHub announces up to 255 characters), unless `.` follows:
then it has just as many. `!` at the end asks for a digit and letters of both cases.
"""

ROWS = """
# Models
anthropic        sk-ant-api03- sk-ant-admin01- sk-ant-sid01- sk-ant-oat01- sk-ant-ort01-  w16+   gl
openrouter       sk-or-v1-                  h16+                     gh
langfuse         sk-lf- pk-lf-              u                        langfuse.com/docs
helicone         sk-helicone-               w16+                     docs.helicone.ai
helicone         pk-helicone- eu-helicone-  w16+                     docs.helicone.ai
dedalus          dsk- dsk_                  w16+                     docs.dedaluslabs.ai
openai           ek_                        A24+ !                   platform.openai.com/docs
xai              xai-                       A20+                     gh
groq             gsk_                       A20+                     th
cerebras         csk-                       A20+                     inference-docs.cerebras.ai
perplexity       pplx-                      A20+                     gl
fireworks        fw_                        A20+                     docs.fireworks.ai
together         tgp_v1_                    w32+                     docs.together.ai
huggingface      hf_ api_org_               A30+                     gl
replicate        r8_                        A30+                     th
nvidia           nvapi-                     w32+                     th
voyage           pa-                        w40 !                    docs.voyageai.com
voyage           al-                        w40 !                    docs.voyageai.com
jina             jina_                      w40                      jina.ai
llamacloud       llx-                       w40                      docs.cloud.llamaindex.ai
tavily           tvly-                      w20+                     docs.tavily.com
firecrawl        fc-                        h32.                     docs.firecrawl.dev
brave            BSA                        w20-40 . !               api.search.brave.com
composio         ak_                        w20 !                    docs.composio.dev
e2b              e2b_                       h40                      e2b.dev/docs
novita           sk_                        w43 !                    novita.ai/docs
baidu            bce-v3/ALTAK-              A21 '/' h40              cloud.baidu.com/doc
elevenlabs       sk_                        h48                      elevenlabs.io/docs
langsmith        lsv2_pt_ lsv2_sk_          h32 '_' h8-12            gh
langsmith        ls__                       h32                      th
pinecone         pcsk_                      w40+                     gh
friendli         flp_                       A40                      friendli.ai/docs
runpod           rpa_                       A40                      docs.runpod.io
modal            as-                        A22 !                    modal.com/docs
modal            ak-                        A22 !                    modal.com/docs
arize            ak-                        u                        arize.com/docs
wandb            wandb_v1_                  w40                      docs.wandb.ai
humanloop        hl_sk_                     h48                      humanloop.com/docs
mem0             m0-                        A40                      docs.mem0.ai
letta            sk-let-                    w60                      docs.letta.com
# Clouds
google           AIza                       w35.                     gl
google           AQ.A                       w40+                     ai.google.dev
google-oauth     ya29. ya29.c. ya29.d. ya29.m.   w20+                th
google-oauth     GOCSPX-                    w20+                     gh
google-oauth     1//0                       w40+                     gh
google-storage   GOOG                       U20.                     gh
google-storage   GOOG1E                     U55.                     gh
aws-key-id       AKIA ASIA ABIA ACCA        U16.                     gl
aws-key-id       A3T                        U17.                     gl
aws-bedrock      ABSKQmVkcm9ja0FQSUtleS     b40+                     gl
aws-bedrock      bedrock-api-key-           b40+                     docs.aws.amazon.com
aws-mws          amzn.mws.                  u                        th
alibaba          LTAI                       A20.                     gl
alibaba          LTAI                       A12.                     gh
alibaba          STS.NS LTAI5t              A20+                     help.aliyun.com
tencent          AKID                       A32.                     gh
tencent          IKID                       A32.                     cloud.tencent.com
volcengine       AKLT                       b40                      gh
digitalocean     dop_v1_ doo_v1_ dor_v1_ dos_v1_   h64               gl
digitalocean     DO00                       U16.                     docs.digitalocean.com
scaleway         SCW                        U17.                     gh
exoscale         EXO                        h24.                     community.exoscale.com
scalingo         tk-us- tk-eu-              w48                      gl
flyio            fo1_                       w43                      gl
flyio            fm1r_ fm1a_ fm2_           b100+                    gl
heroku           HRKU-AA HRKU-              w36+                     gl
render           rnd_                       A28                      render.com/docs
vercel           vcp_ vci_ vca_ vcr_ vck_   A24+                     gh
netlify          nfp_ nfc_ nfo_ nfu_ nfb_   A36                      gh
cloudflare       v1.0-                      h24 '-' h146             gl
cloudflare       cfut_ cfat_ cfk_           A40                      developers.cloudflare.com
deno             ddp_ ddo_ ddw_             A36                      gh
pulumi           pul-                       h40                      gl
vault            hvs. hvb. hvr.             w24+                     gl
vault            s.                         A24. !                   gl
doppler          dp.pt. dp.ct. dp.sa. dp.scim. dp.audit. dp.sit. dp.said.   A40   gh
infisical        st.                        h24 '.' h32 '.' h32      infisical.com/docs
infisical        ats.                       A20 '.' h32              infisical.com/docs
onepassword      ops_eyJ                    b100+                    gl
onepassword      A3-                        U6 '-' U6 '-' U5 '-' U5 '-' U5 '-' U5     gl
onepassword      A3-                        U6 '-' U11 '-' U5 '-' U5 '-' U5            gl
age              AGE-SECRET-KEY-1 AGE-SECRET-KEY-PQ-1   U58          gl
dynatrace        dt0c01. dt0s01. dt0s02. dt0s03. dt0s04. dt0s06. dt0s08. dt0e01.   U24 '.' U64   gl
authress         sc_ ext_ scauth_ authress_   a5-30 '.' a4-6 '.acc_' w10-32 '.' x30+   gl
defined          dnkey-                     w26 '-' w52              gl
tailscale        tskey-api- tskey-auth- tskey-client- tskey-scim- tskey-webhook- A8-20 '-' A20+   gh
tailscale        tskey-                     A20+                     gh
# Code, packages, CI
github           ghp_ gho_ ghu_ ghs_ ghr_   A36                      gl
github           github_pat_                s36+                     gl
gitlab           glft- glffct- glimt- glptt- glagent- glrt- glsoat- gloas- glrtr- glwt-   w20+   gl
gitlab           glcbt-                     A1-5 '_' w20+            gl
gitlab           GR1348941                  w20+                     gl
gitlab           _gitlab_session=           a32                      gl
bitbucket        ATBB                       w24-40 . !               gh
bitbucket        BBDC-                      b40                      gh
atlassian        ATATT3 ATCTT3              x60+                     gl
atlassian        ATOA                       w40+ !                   gh
sourcegraph      sgp_                       h40                      gl
sourcegraph      sgp_                       h16 '_' h40              gl
sourcegraph      slk_ sgd_ sgph_            h40                      gh
npm              npm_                       A36                      gl
pypi             pypi-Ag                    w40+                     gl
rubygems         rubygems_                  h48                      gl
nuget            oy2                        a43.                     gh
crates           cio                        A32. !                   gh
clojars          CLOJARS_                   a60                      gl
docker           dckr_pat_ dckr_oat_        w27                      gh
docker           SWMTKN-1-                  a49 '-' a25              docs.docker.com
cloudsmith       csm_                       A30                      gh
artifactory      AKCp                       A69                      gl
artifactory      cmVmd                      A59                      gl
packagist        packagist_ack_ packagist_uut_ packagist_out_   h64+    gh
pkgcloud         pkgcloud_                  A40                      packagecloud.io/docs
circleci         CCIPAT_ CCIPRJ_            A20-30 '_' h40           gh
buildkite        bkua_ bkaj_ bkcq_          h40                      gh
buildkite        bkct_                      w40                      buildkite.com/docs
harness          pat. sat.                  w22 '.' A24 '.' A20      gl
octopus          API-                       U26.                     gl
sonar            squ_ sqp_ sqa_ sqb_        h40                      gh
snyk             snyk_uat. snyk_sat.        h8 '.' w60+              docs.snyk.io
infracost        ico-                       A32                      gl
depot            depot_org_ depot_project_ depot_user_   h40+        depot.dev/docs
checkly          cu_                        h32                      gh
launchdarkly     sdk- mob- api-             u                        gh
statsig          console-                   A40                      docs.statsig.com
statsig          secret-                    A40                      docs.statsig.com
prefect          pnu_ pnb_                  A36                      gl
dbt              dbtc_ dbts_ dbtu_          w40                      docs.getdbt.com
datastax         AstraCS:                   A24 ':' h64              th
planetscale      pscale_tkn_ pscale_oauth_ pscale_pw_   x32+         gl
neon             napi_                      a60                      gh
supabase         sbp_                       h40                      gh
supabase         sb_secret_                 w22+                     gh
tinybird         p.eyJ                      w40+ '.' w20+                     tinybird.co/docs
databricks       dapi dose                  h32                     gl
confluent        cflt                       b40+                     gh
clickhouse       4b1d                       A38.                     gl
aiven            AVNS_                      w18                      gh
mongodb          mdb_sa_sk_                 w40                      gh
xata             xau_                       A40                      th
fauna            fnA                        w37                      gh
# Chat, mail, work
slack            xoxa- xoxb- xoxc- xoxd- xoxe- xoxo- xoxp- xoxr- xoxs- xapp-   w20+   gl
slack            xoxe.xoxp- xoxe.xoxb-      w20+                     gl
slack            xwfp-                      w20+                     docs.slack.dev
sendgrid         SG.                        w16-32 '.' w32+          gl
mailgun          key- pubkey-               h32.                     gl
mailchimp        md-                        w22. !                   gh
brevo            xkeysib- xsmtpsib-         h64 '-' A16              gl
resend           re_                        A8 '_' A20+ !            resend.com/docs
courier          pk_prod_ dk_prod_ pk_test_   U28                    courier.com/docs
klaviyo          pk_                        h34                      th
telnyx           KEY                        A35 '_' w20 !            gh
twilio           SK                         h32.                     gl
twilio           AC                         h32.                     th
messagebird      live_                      A25. !                   th
notion           ntn_ secret_               A40                      gl
linear           lin_api_ lin_oauth_ lin_wh_   A32                   gl
asana            1/ 2/                      d13-17 '/' d13-17 ':' h32   gh
asana            1/ 0/                      d13-17 ':' h32           gh
airtable         pat                        A14 '.' h64              gh
airtable         key                        A14. !                   gh
figma            figd_ figo_ figu_ figoh_ figor_   w40               gh
clickup          pk_                        d6-10 '_' U32            developer.clickup.com
trello           ATTA                       h64                      gh
dropbox          sl. sl.u.                  w40+ !                   gl
frameio          fio-u-                     w64                      gl
typeform         tfp_                       x40+                     gl
calcom           cal_live_ cal_test_        h32                      cal.com/docs
intercom         dG9rO                      b40+                     th
hubspot          pat-na1- pat-eu1- pat-na2- pat-ap1-   u             gh
salesforce       00D                        A12-15 '!' x60+          th
segment          sgp_                       A64                      gh
posthog          phx_ phs_                  A40                      gh
contentful       CFPAT-                     w43                      gh
prismic          MC5                        b40+                     gh
readme           rdme_                      a70                      gl
postman          PMAK-                      h24 '-' h34              gl
apify            apify_api_ apify_ui_ apify_proxy_   A34             gh
mapbox           sk.eyJ1                    w20+ '.' w20+                     gh
mapbox           tk.eyJ1                    w20+ '.' w20+                     gh
stytch           secret-live- secret-test-  w35                      stytch.com/docs
inngest          signkey-prod- signkey-test- signkey-branch-   h64   inngest.com/docs
trigger          tr_dev_ tr_prod_ tr_pat_   a20                      trigger.dev/docs
grafana          glc_                       b32+                     gl
grafana          glsa_                      A32 '_' H8               gl
grafana          eyJrIjoi                   b60+                     gl
sentry           sntrys_                    x40+                     gl
sentry           sntryu_ sntrya_ sntryi_    h64                      gl
newrelic         NRAK- NRRA- NRIQ-          A27                      gh
newrelic         NRII- NRIK- NRAL-          w32                      gh
newrelic         NRJS- NRBR-                h19                      gl
newrelic         NRSP-                      w32                      gh
honeycomb        hcaik_ hcxik_ hcamk_ hcxmk_ hcalk_ hcxlk_   a40+    docs.honeycomb.io
axiom            xaat- xapt-                u                        axiom.co/docs
logfire          pylf_v1_us_ pylf_v1_eu_ pylf_v2_us_ pylf_v2_eu_   A30   gh
rootly           rootly_                    h64                      gh
persona          persona_production_ persona_sandbox_   h36          gh
onfido           api_live. api_sandbox. api_live_ca. api_live_us.   w12 '.' w30+   gh
# Money
stripe           sk_live_ sk_test_ rk_live_ rk_test_ sk_prod_ rk_prod_   w16+   gl
stripe           sk_org_live_ sk_org_test_  A16+                     docs.stripe.com
stripe           whsec_                     b24+                     gh
square           sq0atp- sq0csp- sq0idp- sq0idb-   w22+              gl
square           EAAA                       w50+ !                   gl
facebook         EAA                        A80+ !                   gl
paypal           access_token$production$   a16 '$' h32              gh
paypal           access_token$sandbox$      a16 '$' h32              gh
braintree        production_ sandbox_       a8 '_' a16               th
adyen            AQE                        b60+ !                   gh
plaid            access-sandbox- access-development- access-production-   u   gl
plaid            public-sandbox- public-production- link-sandbox- link-production- u plaid.com/docs
shopify          shpat_ shpca_ shppa_ shpss_ shptka_   H32           gl
shopify          shpua_ shpltr_ shpit_ shpsa_   H32                  gh
razorpay         rzp_live_ rzp_test_        A14.                     gh
flutterwave      FLWSECK_TEST- FLWSECK-     a32 '-X'                 gl
flutterwave      FLWPUBK_TEST- FLWPUBK-     a32 '-X'                 gl
flutterwave      FLWSECK_TEST               a12.                     gl
lob              live_ test_                h35                      gl
lob              live_pub_ test_pub_        h31                      gl
easypost         EZAK EZTK                  A54                      gl
shippo           shippo_live_ shippo_test_  h40                      gl
duffel           duffel_live_ duffel_test_  x43                      gl
gocardless       live_ sandbox_             w40 !                    gl
coinbase         organizations/             u '/apiKeys/' u          gh
paddle           pdl_live_apikey_ pdl_sdbx_apikey_   a26 '_' A22 '_' A3   gh
mercury          secret-token:mercury_production_   x30+             gh
checkout         sk_sbox_                   a26.                     gh
ramp             ramp_tok_ ramp_sec_ ramp_id_   A40                  gh
samsara          samsara_api_               A30                      gh
asaas            $aact_prod_ $aact_hmlg_    b80+                     gh
mercadopago      APP_USR- TEST-             d16 '-' d6 '-' h32 '-' d6+   gh
alchemy          alcht_                     A30                      gh
bitcoin          xprv                       A107                     github.com/bitcoin/bips
# The rest of what scanners know
adafruit         aio_                       A28                      gh
adobe            p8e-                       a32                      gl
discord          mfa.                       w84                      th
ionic            ion_                       a42                      gh
intra42          s-s4t2ud- s-s4t2af-        h64                      gl
openshift        sha256~                    w43                      gl
settlemint       sm_aat_ sm_pat_ sm_sat_    A16                      gl
yandex           t1.                        w8+ '.' w86              gl
yandex           AQVN                       w35-38                   gl
yandex           YCA YCM YCN YCO YCP        w37. !                   gl
yandex           y0__ y0_ y1_ y2_ y3_       w50+                     gh
yandex           dict.1.1. pdct.1.1. trnsl.1.1.   w16 '.' h16 '.' h40               gh
vk               vk1.a.                     w80+                     gh
thunderstore     tss_                       A30                      gh
lichess          lip_ lio_                  A20                      gh
linkedin         WPL_AP1.                   b20+                     gh
mailersend       mlsn.                      h64                      mailersend.com/help
midtrans         SB-Mid-server- Mid-server-   w24                    gh
nightfall        NF-                        A32                      gh
openvsx          ovsxat_                    w30+                     gh
sindri           sindri_                    A30                      gh
wakatime         waka_                      u                        gh
waka             waka_sec_ waka_tok_        A60                      gh
workato          wrkaus- wrkeu-             w30                      gh
zuplo            zpka_                      h32 '_' h8               gh
pinterest        pina_                      A32                      gh
pangea           pts_                       a32                      gh
polar            polar_pat_ polar_oat_ polar_at_u_ polar_at_o_ polar_rt_u_   A40   gh
val-town         vtwn_                      w24+                     gh
canva            cnvca                      w50                      gh
cockroach        CCDB1_                     A22 '_' A40              gh
fullstory        na1. eu1.                  b60+                     gh
kubernetes       k8s-aws-v1.                w80+                     docs.aws.amazon.com
twitch           oauth:                     a30.                     dev.twitch.tv
twitter          AAAAAAAAAAAAAAAAAAAAA      x60-200 .                 gl
"""
