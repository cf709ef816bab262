"""The words that the search knows: data, no code.

People ask in other words than documents answer in. So each document is also found by everyday words that it need not
have: `GLOSSARY` gives them for a concept that a document's name, summary or keywords name, and `TOPICS` for each of
Python's reference topics, as the index of a book would. A line says what a thing is for; none is there for the sake of
one question. They are searched, never quoted. `SYNONYMS` are words of questions that stand for one another.
"""

# Words that say nothing of what a text is about, and words that questions are made of.
STOP_WORDS = """
a about above after again all also although am an and another any anything anyone are aren't as ask at away be because
been before being below between both but by came can can't cannot come could couldn't did didn't do does doesn't doing
don't done down during each either else etc ever every everything exactly few for from further get gets getting give
given gives go goes going gone got had has hasn't have haven't having he her here how however i i'd i'll i'm i've if
in instead into is isn't it it's its itself just kind know let lets like likely look lot made make makes making many
may me mean means might mine more most much must my myself need needs neither never no none nor not of off often on
once one ones only onto or other others our out over own perhaps please possible put quite rather really said same say
says see seem seems shall she should so some somebody someone something soon still such sure take taken takes tell
than that that's the their them then there there's therefore these they thing things this those though through thus to
together too toward towards under until up upon us use used uses using usually very via want wants was wasn't way ways
we well were what what's whatever when where whether which while who whole whom whose why will with within without
won't would wouldn't yes yet you you'd you're your yours work works find happen happens python library package tool
thanks ok
"""

# Endings that are cut off a word, so that its relatives share a stem.
SUFFIXES = """
ization izations isation ational ations ation ators ator ating ated ates ate izing ising ized ised izers izer izes ize
ise ments ment ness ability ibility ables able ibles ible ives ive ions ion ally als al ly edly ings ing ed ers er ors
or ity ities ous es s ic ics ical
"""

# Concepts, any of them (between commas; all the words of one must be named, and `=name` is a distribution's whole name,
# for one that shares its summary's words with its siblings): what people call them and want with them.
GLOSSARY = """
abstract syntax tree, ast: parsed program structure nodes grammar source code data walk visit analyse transform save
abstract syntax tree, ast: load binary cache
abstract syntax tree, ast, bindings: exchange compact form programs speed checker tree nodes
accessibility: blind screen reader keyboard disability
agent, llm, language model, openai: chatbot assistant artificial intelligence ai gpt prompt completion conversation
agent, llm, language model, openai: generate answer text model reply tokens machine write talk question summarise draft
agent, llm, language model, openai: essay vendor hosted intelligent speech transcribe picture caption
algorithm: method procedure steps compute
annotation, hint, typing: declared kinds variables arguments signature annotate types written beside names editor
annotation, hint, typing: autocomplete
api client, official api: hosted service endpoint account key call remote
archive, compression: zip tar gzip pack shrink unpack smaller
argument parser: options flags program start parameters
argument parser, command line interface, cli: typed words switches decorate function program nested group colours
argument parser, command line interface, cli: password prompt confirm validation user completion arguments shell
array, matrix, numeric: numbers grid vector linear algebra calculation
asgi: interface server application workers reload development sockets lifespan app online traffic
asgi server, server: run serve web application listen port host several workers processes reload automatically code
asgi server, server: change development https certificates unix socket http websockets production launch start deploy
asgi server, server: logging behind proxy gunicorn traffic app network restart save
asgi, wsgi: web server gateway host application deploy run production listen port process requests workers site backend
ast serialization, ast: parse files quickly dump syntax tree binary form replace built-in
async, asyncio, trio, concurrency, concurrent: asynchronous coroutine event loop waiting jobs time parallel
async, asyncio, trio, concurrency, concurrent: simultaneously overlap background tasks nonblocking await
asyncio, trio: switch backend agnostic cooperative scheduler nursery task group cancel scope deadline timeout supervise
asyncio, trio: children threads bridge sleep lock semaphore queue
atomic: nothing safe
audio, sound: music record play wave
authentication, login, oauth: sign identity user password session account permission
authentication, security: allowed prove protect
automation: script repetitive chores
backoff, retry: try repeat attempt failing flaky unreliable temporary outage hiccup network call pause longer wait
backoff, retry: persist transient error recover
backport, backported: brand new syntax features today old releases polyfill support several versions
backport, backported, experimental: older interpreter previous version newer features early ahead future compatible
backport, backported, experimental: stuck upgrade
barcode: qr scan label
benchmark, profiling: measure speed time slow hot spot
binding, foreign function: call native compiled shared language wrap code header bridge link system speak dll object
binding, foreign function: speed low-level pointers memory struct
boilerplate: repetitive tedious code writing hand initialiser constructor equality repr comparison fields shorter record
boilerplate: plain data holder
boilerplate, attrs: dull constructors printing comparing hand record frozen slots convert validate generate dunder
boilerplate, attrs: automatically concise tiresome drudgery methods equality hashing ordering repr immutable value
boilerplate, attrs: objects fields defaults shorter class definitions less typing data holder plain
browser: firefox chrome page click
build, packaging, package: distribution wheel release version dependency metadata requirement upload specifier compare
build, packaging, package: newest marker tag
c parser: read understand analyse source code syntax tree programs translate transform header front-end compiler static
c parser: analysis obfuscate functions structs declarations list preprocess comments
cache: remember result reuse avoid recompute store temporary faster
calendar, datetime: date time day month timezone duration
capacity, rate limiting, throttling, rate limit: requests per second minute quota cap abuse slow excess visitors calls
capacity, rate limiting, throttling, rate limit: allowed window bucket protect overload fair block ip
certificate, tls, ssl, trust: secure https handshake verify authority root company internal self-signed connection
certificate, tls, ssl, trust: encrypted keychain operating system
certificate, tls, trust: firewall authorities installed administrator browser padlock bundle machine already knows
chart, plot: graph figure axis picture draw data
checker, static typing: catch mistakes early runs editor prove consistent gradually large code base wrong passed
checker, type checker, static typing: mistakes running program types wrong argument mismatch release verify annotations
checker, type checker, static typing: analyse editor gradual
class: object blueprint instance fields methods type record
cli, command line interface, toolkit command line: terminal shell program script options flags switches subcommands
cli, command line interface, toolkit command line: arguments parse prompt help usage user types enter console utility
cloud: hosted remote machines provider
code formatter: tidy layout style consistent spacing reformat indentation
codec, encoding: bytes text convert charset unicode
collection, container, data structure: list set dict map hold items store group elements
color, terminal, rich text, console: pretty output coloured bold styled print screen shell tables columns spinner
color, terminal, rich text, console: progress long job logs emoji panel tree layout
command line interface: build program started terminal subcommands nested groups options flags arguments help text page
command line interface: generated automatically prompts typed parameters usage message colours lazy loading commands
command line interface: user script parse errors exit code confirm destructive action files stdin output tab completion
command line interface: pager
commonmark, markdown: formatted plain text readme headings lists links emphasis convert html web page document render
commonmark, markdown: notes blog comments asterisks hashes writing turned tags wiki typography article editor
compiler, mypyc, compile: translate native machine code faster speed ahead extension binary
concurrency: juggle several simultaneously side overlap
concurrency, asyncio: run side start several wait left behind structured task groups cancel siblings fails move blocking
concurrency, asyncio: worker thread time limit deadline file access subprocess signals loops portable interchangeable
concurrency, asyncio: neutral authors tcp udp unix sockets streams pass items supported stop rest breaks finish
config, configuration, ini: settings file sections keys values options preferences read simple
config, ini: sections brackets equals lines file parsed legacy simple
constraint: limit range minimum maximum greater less positive length bounds restrict allowed values rule condition
constraint: bigger smaller least longer shorter even multiple attached metadata vocabulary upper lower fewer interval
constraint: exclusive inclusive timezone unit predicate state numbers sizes annotations declare requirement non-empty
constraint: divisible age eighteen ten entries next type shared validators
container, collection: hold keep store group
context protocol, mcp: ai assistant tools server connect expose functions data resources prompts host client standard
context protocol, mcp: interface model plug access chatbot abilities actions discover chat call outside
continuous integration: pipeline build automatic commit
cookie: browser remember session
cryptographic, cryptography: lock keep safe eyes messages tamper sealed password derive exchange keys certificates x509
cryptographic, cryptography, encryption: encrypt decrypt secret cipher key hash sign signature certificate password
cryptographic, cryptography, encryption: protect confidential unreadable random secure hide scramble private public pair
cryptographic, cryptography, encryption: rsa aes digest
cryptography: encrypt decrypt lock scramble file message nobody read secret key symmetric asymmetric public private
cryptography: digital signature sign verify hash fingerprint certificates passwords derivation random tokens
cryptography: tamper-proof cipher safe storage secure recipes low-level primitives letters eavesdrop confidential
cryptography: protect recipient open sealed document sensitive store
csv, spreadsheet: rows columns table comma excel
data validation, validation: check input untrusted outside foreign user supplied incoming correct shape types required
data validation, validation: missing wrong error report reject clean parse convert coerce conform rules dirty payload
data validation, validation: form mistakes field guard boundary objects model
database: store persist records tables query save rows
debugger, debugging: bug step pause inspect watch
decorator proxy, monkey patching: wrap functions methods extra code runs keep signature name documentation intact
decorator proxy, monkey patching: universal classes static instances transparent object stand-in replace third-party
decorator proxy, monkey patching: time patch intercept logging synchronise locks around arguments inspected
decorator wrapper: envelope stand-in pretend surround intercept logging timing touching original keep name wrap function
decorator wrapper: around add behaviour call modify replace proxy transparent preserve signature
deprecate, deprecated, deprecation: old obsolete function retired removed future warn caller users replacement mark
deprecate, deprecated, deprecation: outdated phase notice stop
deprecate, deprecation: sunset announce discourage older name message developers migrate
deprecated, deprecate: mark old function method class outdated scheduled removal callers warn point replacement since
deprecated, deprecate: version reason message gently retire obsolete legacy don't anymore phase notice release upgrade
deprecated, deprecate: path discourage planned
detect, sniff: guess figure current
detect, sniff, introspection, inspection, inspect: examine discover determine running runtime
directory, dirs: folder place location path save files home per-user standard operating system windows mac linux cache
directory, dirs: logs config data
dirs, directory: proper hidden location home profile application save keep preferences downloads tidy conventions
distributed: several machines cluster nodes shared
distribution, packages, package: labels tags wheel filename parse sort releases requirement string canonical name newer
distribution, packages, package: older satisfies
django, flask: web site framework views
dns, domain name, internationalized domain: host name internet address non-english letters accents umlauts foreign
dns, domain name, internationalized domain: script chinese arabic punycode ascii unicode website
docker: image run isolated deploy
domain name, internationalized: website spelled foreign characters umlaut emoji browser convert ascii wire
dotenv: keep passwords keys code read settings small text file load environment start development value lines override
dotenv: existing expand variables command export shell secrets beside program
dotenv, env: keep secrets repository passwords file beside project lines load startup
dotenv, env file: environment variables secrets settings local file load passwords api keys outside source code
dotenv, env file: deployment development
email: mail send message smtp inbox
environment variables: shell settings deploy configure process outside secret
event, sse: keep line open trickle news ticker live page polling progress notify browsers
event, sse, server-sent: push updates live stream browser notify feed real time messages server client continuous
excel, pdf, word: office document pages
exception, error: failure problem crash wrong fault
file paths, path: files folders names tree location walk match
fixture, test, testing, unittest: check program verify expected results assert failing run suite automatically
fixture, test, testing, unittest: regression correct quality confidence setup teardown
foreign function: functions written existing compiled dll shared object native extension low-level speed glue wrap
foreign function: pointers structs declarations header operating system sdk performance-critical bridge
foreign function: interoperate numeric routines
framework: base structure build application foundation
functional: pure map filter compose
fuzzing, property-based: invent weird awkward data automatically hundreds cases rule always hold minimal example breaks
fuzzing, property-based: corner
fuzzing, property-based, property: random generated inputs examples edge cases surprising counterexample invariant
fuzzing, property-based, property: smallest failing shrink explore automatically try values robustness
game: play sprite loop
geographic: map coordinates distance place
gitignore: files matched ignored excluded wildcard patterns stars walk directory tree filter back certain include negate
gitignore: exclamation mark double asterisk rules git skip build folders select paths exclusion list left sync backup
gitignore: upload
gitignore, pattern matching: ignore rules exclude files wildcard glob asterisk skip leave include filter folder tree
gitignore, pattern matching: version control belong match listing stars negate repository
gui: window button desktop
hash, checksum: fingerprint digest verify integrity
highlighting: pretty print listing tint tokens snippet article blog html terminal latex
highlighting, lexer: colour source code keywords strings comments programming languages display documentation page
highlighting, lexer: tokens themes listing
html: web page markup browser tags
http client: fetch download web page send post request response url call rest api remote server headers cookies timeout
http client: connection redirect talk service upload sessions keep alive http/2 mock synchronous asynchronous modern
http client: replacement authentication proxy pooled website json form files query parameters login follow streaming
http client: persistent reuse test against app network http2 command line requests-compatible retrieve internet data
http client: pictures credentials slow deadline several progress status code answer certificates
http/1.1: parser state machine sockets bring network bytes events sans io speak web protocol reading writing yourself
http/1.1: raw request response event-driven connection toolkit building clients servers sides framing chunked headers
http/1.1: testable incoming conversation
http/1.1, http: web protocol request response headers body connection wire bytes
image: picture photo resize crop
immutable, persistent: changes copy cheap share old version kept frozen unchanged safe modify returns new structure
immutable, persistent: functional map list intact history undo hash
ini, config ini: sections key equals value old-fashioned simple settings file read line numbers errors order kept
ini, config ini: duplicate complains comments multi-line headings square brackets name
internationalized domain: web address umlauts accents foreign letters chinese arabic cyrillic hostname converted plain
internationalized domain: ascii xn-- punycode back display valid domain label lookup emoji lower-case mapping normalise
internationalized domain: bar outside a-z name servers
introspection: inside reflect type hints origin unwrap qualifiers alias
json: data text payload serialise parse read load document object api exchange
json parser: quick text numbers incomplete decode rust turn json bytes objects fast cut-off unfinished truncated
json parser: input streaming answers big precision strings cached duplicate keys speed megabytes exact memory
json parser, parser: read decode turn text objects syntax tokens understand grammar fast
json referencing: pointer jump documents shared definitions resolve link bundle $ref schema refers anchor registry
json referencing: lookup follow cross-file parts reused external split several files fragments identifiers url cyclic
json referencing, referencing, reference: pointer link resolve follow document part ref uri anchor definition lookup
json referencing, referencing, reference: registry
json schema: contract payload rulebook drafts complain list violation required allowed pattern
json schema, schema: describe allowed shape structure documents required properties types check conform specification
json schema, schema: draft instance rules
json web token: badge proof carried header verify nobody tampered expiry issuer audience log stateless browser api
json web token: claims signed login tokens session server-side storage user expire hour public key secret tamper
json web token: detection bearer authentication decode ticket single sign-on prove identity hmac rsa visitor pass runs
json web token, jwt, token: login session signed claims stateless expiry bearer header issue verify user identity secret
json web token, jwt, token: expire authorise ticket
=jsonschema: check json document follows rules formal description allowed structure validate payload against schema
=jsonschema: errors field wrong drafts required properties formats contract conform violates describe shape permitted
=jsonschema: expected mandatory values nested list report
key-value: remember quickly share among processes network queue lock counter expiry message broker session memory
key-value, redis: in-memory store cache server queue counter shared processes publish subscribe expire set remember
key-value, redis: session fast database
kubernetes: cluster pods deploy
linter: style mistakes code quality unused imports bad practice warn rules automatically fix check source tidy
linter: conventions bugs nitpick clean wrong order sort replaces several tools quick formatter beautify complain
linter: variables habits reformat consistently editor pre-commit configure line length dead gate modernise upgrade
linter: syntax docstrings black isort names guide auto-fix complexity
localization, translation: language locale translate
log, logging: record messages diagnose write
low-level http client: raw bare requests connections kept open reused pool proxies tunnel http2 thread-safe task-safe
low-level http client: extras redirects cookies building block clients send receive response transport plain underneath
low-level http client: bigger lines
low-level, minimal: bare essential small building block features foundation hood transport connection pool
machine learning, neural: train model predict classify
markdown: turn lightweight markup notes html headings bold italic lists tables footnotes plugins extend syntax rules
markdown: tokens standard-conforming safe render text formatting stars underscores readme comments blog
markdown parser: user comments headings bold quotes links tables convert html extension rules forum safe
=mcp, context protocol sdk: ai assistant language model chatbot functions tools read data resources prompts expose
=mcp, context protocol sdk: server client standard interface connect host plug stdio http agents claude ide call actions
=mcp, context protocol sdk: system chat company
meta-schema, vocabularies: official definition drafts bundled specification documents json schema standard themselves
meta-schema, vocabularies: shipped offline downloading ready-made registry built-in rule edition authoritative copy
monkey patching: replace alter existing code runtime third party change behaviour editing swap running
multipart: upload file form submitted attachment picture browser post body stream chunks memory piece large photo page
multipart: piecewise decode fields visitor receive data sent parse bit loading content types urlencoded boundary server
multipart: side arrive
network, networking, socket: connection port internet tcp server client bytes wire protocol
next generation: modern successor replacement improved newer
node: javascript several node versions side isolated npm packages per project switch runtimes install root frontend
node: tools environment activate keep apart next machine
node, javascript: isolate per project interpreter npm separate several versions activate
node, javascript, npm: web frontend runtime versions isolated separate project
openai: large language model gpt code chat completion generate text images embeddings speech transcription stream answer
openai: word calling hosted ai api key retries timeouts uploads realtime fine-tune bot conversation artificial
openai: intelligence write summarise translate moderation azure pagination chatgpt voice picture
opentelemetry: inside running service distributed tracing follow request across several spans metrics logs measure
opentelemetry: latency time spent monitoring observability vendor independent instrument correlate travels programs
opentelemetry, telemetry: watch live slow path microservices timing context propagate exporter counters baggage
opentelemetry, telemetry, tracing: observe monitor production trace spans metrics measure follow request across services
opentelemetry, telemetry, tracing: slow vendor neutral instrument dashboards diagnose performance distributed
orm: objects database tables mapping
package manager: program replace installers fast lock sync interpreter download run scripts tools publish workspace
package manager, project manager: install dependencies lock pin resolve virtual environment interpreter versions replace
package manager, project manager: pip fast project create add remove requirements reproducible
packaging: compare version numbers release newer parse requirement lines specifiers markers satisfy wheel file names
packaging: tags platform metadata lock sort canonical project pre-release valid order greater ranges compatible
packaging: dependency environment yanked
parallel: cores processors time split
parser, parsing: turn text structure grammar understand source read
persistent data: immutable dictionary list set queue stack modified copy shares structure cheap snapshot old version
persistent data: remains usable altered safe threads hashable functional previous state change undo
platform: operating system windows mac linux differences portable differently
platform dirs, user data: right folder program's settings cache logs downloaded data operating system windows mac linux
platform dirs, user data: android app store files home conventions per user site-wide documents pictures desktop config
platform dirs, user data: location xdg appdata temporary state proper place keeps computer
plugin: third parties contribute functions callbacks extension points discover several answers collected order first
plugin: result
plugin, hook: extension addon extend third party callback register customise modular call implementations add program
plugin, hook: changing hooks specification discover entry points
plugin, plugin hook: program extensible add behaviour third-party add-ons register hooks call implementations order
plugin, plugin hook: collect results specification discover installed changing core wrappers modular points
process, subprocess: start program run command child
progress: percentage far bar remaining
project manager: install dependencies quickly create isolated environment choose interpreter versions lock exact
project manager: reproducible run script requirements publish build tools replacement pip virtualenv poetry pyenv pipx
project manager: workspaces add remove upgrade manager fast resolver cache
property-based, fuzzing: automatically thought-up inputs think random test cases smallest simplest failing example
property-based, fuzzing: corner edge weird values bugs stress break function rule always holds generator strategies
property-based, fuzzing: reproduce counterexample machine nasty shortest
property-based, testing: trust robustness
protocol: rules exchange messages standard wire
pure: dependencies compiled nothing portable
pydantic: model class typed fields validation
=pydantic: strings become dates numbers enumerations nested lists form query json error location message web input
=pydantic: trusted
=pydantic, data validation hint: check incoming data untrusted json user input against declared types convert text
=pydantic, data validation hint: numbers dates automatically readable error messages field wrong nested objects models
=pydantic, data validation hint: defaults required constraints rules serialise back dict schema generation request body
=pydantic, data validation hint: form payload clean garbage sanitise strict lenient coerces
pyright: static type checker annotations verify errors running editor quick microsoft pip install node wrapper command
pyright: strict shipping mismatched mistakes early inference
pytest, unittest: check code write tests simple assert informative failure message fixtures set shared resources
pytest, unittest: temporary parametrise several inputs run subset name skip expected discovery automatically stop first
pytest, unittest: failing plugins capture output monkeypatch report suite regression confidence unit discovered details
pytest, unittest: directory fake objects coverage slow reruns
queue, broker: jobs later background worker message
rate limit, rate limiting: times per second minute hour day client call throttle slow abusive users brute force login
rate limit, rate limiting: attempts fixed moving sliding window counters shared redis memcached mongodb several servers
rate limit, rate limiting: quota remaining reset burst reject hits fair cap address tenant plan ban
rate limiting: customers hammer abuse slow refuse per minute hour sliding window counters fixed memory shared quotas
rate limiting: exceeded api fairness
redis: remote in-memory key value database cache share state processes machines publish subscribe messages queues lists
redis: sets counters expire pipelines several commands transactions connection pool cluster sentinel lock streams
redis: session store quick leaderboard leader programs vanish time
regular expression: pattern text search match
reliability, production: robust outage fault tolerant resilience failure recover
repository, version control: commits branch history
retry: flaky hiccup stubborn persevere attempts wait random jitter stop exponential decorator try automatically call
retry: fails network service temporary outage longer time backoff maximum deadline certain errors async circuit logging
retry: unreliable transient repeat success persist now growing pauses reattempt unreachable
retry reliability, retries: sensible defaults metrics tests switch waiting resilient
rich text: beautiful coloured terminal output tables boxes bold styled progress bars spinner status animated live
rich text: markdown syntax highlighted tracebacks readable pretty-print data structures logging handler columns tree
rich text: panels emoji console layout inspect objects eye-catching fancy screen long-running job moving
rich text, terminal: beautiful eye candy emphasise borders boxes live updating dashboards readable tracebacks
router, routing: path url dispatch handler
runtime: running execution support live program
runtime library: support routines compiled modules helper internals programs run native speed code implementations
runtime library: accelerated strings lists containers ahead-of-time needed automatically
rust: fast compiled native speed memory safe systems language quick
schema, specifications: official built-in known drafts ready
scrape: pages website extract
search: text index rank
security: protect attack safe secret
serialization: dump convert save dict bytes text output export write
settings: configuration options preferences application values environment file defaults override deployment secrets
settings: typed twelve-factor nested prefix
settings management: read configuration environment variables files secrets typed class checked start missing setting
settings management: complains prefix nested sources priority override deployment twelve-factor command line options
settings management: declared overridden docker
signing: signature verify tamper authentic proof
sniff: smell event loop asyncio trio running current inside supporting several determine detect runtime
sniff: helper branch accordingly
sorted: order ascending kept rank position smallest largest range insert bisect search quickly nearest stay always
sorted: leaderboard next higher lower binary thousands fast duplicates median schedule elements adding removing lookup
sorted: nth two values priority list dictionary keys sorted set big pure compiling neighbours percentile timestamps new
specification: standard official definition
sse: page shows news server speaks browser listens
sse, server-sent events: push updates server browser one-way live feed notifications stream messages keep connection
sse, server-sent events: open heartbeat ping disconnect detection reconnect event source progress dashboard ticker
sse, server-sent events: websocket polling
starlette: web framework asgi
=starlette, asgi framework: mount static cookies url handlers websocket endpoints minimal site
=starlette, asgi framework, web framework: build web application website backend routes pages json endpoints middleware
=starlette, asgi framework, web framework: websockets templates static files sessions cookies forms background tasks
=starlette, asgi framework, web framework: response test client startup shutdown lightweight cors gzip request handling
=starlette, asgi framework, web framework: small services html
starlette, library asgi: routes pages uploads cookies forms templates middleware cors endpoints background tasks
static typing: check type annotations running program mistakes beforehand wrong argument passing text number expected
static typing: gradual add hints step inference forgotten analysis release early bug catcher editor infer
static typing, pyright: arguments unreachable code detect running project large base refactor
static typing, pyright: safely ci
stream, streaming: piece gradually incremental loading memory chunks
stream, streaming, server-sent: bit little arrives
syntax: grammar language source code rules
syntax highlighting: colour source code snippets web page html latex terminal languages detect guess themes styles line
syntax highlighting: numbers lexer forum wiki blog prettify listings render keywords program shown
table: rows columns grid
template: placeholder fill page text
test, testing: assert functions parametrise temporary folder discover collect report plugins confidence nothing broke
thread: parallel lock shared
trust, certificate bundle: certificate verification fails company proxy internal self-signed authority installed
trust, certificate bundle: computer operating system's list trusted roots keychain windows store bundled https tls
trust, certificate bundle: revoked connections secure firewall intercept download network
trust, certificate bundle: custom administrator
type hint: gain annotations declared automatically
type hint backport, backported hints: newest annotations features older interpreter versions release future experimental
type hint backport, backported hints: stuck compatible several try proposals typed dictionary override self protocol
type hint backport, backported hints: literal hints company runs old
type system: types generics structural protocol advanced
type system checker: extra constructs understood checker additional typed dictionaries callable arguments compiled
type system checker: modules helpers hints traits additions programs
typing: generics protocol literal overload
typing introspection: inside annotations running hint union literal optional qualifiers classvar final unpack metadata
typing introspection: examine build validation framework reads generic arguments
url: web address link parse components encode query host escape percent pieces scheme normalise
url utilities, url: split address parts percent-encode decode escape special characters links format normalise web
url utilities, url: spaces query percent signs question mark host
user data: per-user application files
utilities, utility: helper functions common
uuid: unique identifier random
validation serialization: fast engine hood written rust validators serialisers core internals schema low-level speed
validation serialization: powering quick compiled part beneath model checker
video: film frames
virtual environment: isolated separate project versions apart sandbox side conflict global install
warning: notice alert message developer
web framework, library asgi: website backend api pages routes endpoints requests responses middleware websocket build
web framework, library asgi: service handlers session static files test background lightweight
websocket: two live connection push chat
wire types: message definitions payload models server envelope json-rpc protocol kit parse traffic dependency-light
wire types: serialise deserialise validate versions classes recording log replay transport minimal install
wsgi: gateway
xml: tags document tree
yaml, toml: configuration text file
""".strip()

# Label of a reference topic: what people call it and want with it.
TOPICS = """
assert: sanity check condition hold claim expectation debugging AssertionError switched optimised test assumption
assert: guarantee invariant stop program untrue flag message verify belief self-check precondition postcondition
assert: tripwire safeguard complain immediately impossible case bug halt abort disabled production stripped removed
assert: speed debug-only internal consistency promise assume presume bug-catching documenting
assignment: value name variable equals sign bind several unpack swap tuple target star rest store set chained result
assignment: annotated declare type field item attribute left side label point refer two temporary object walrus
assignment: destructure first remaining sticker tag box remember save exchange trade places pieces spread parts leftover
assignment: asterisk overwrite replace fill slot element list hint beside note meaning evaluation order right-hand
assignment: number match update entry parallel copies
async: asynchronous function define coroutine loop awaited items block concurrent suspend event context manager iterator
async: non server cooperative declare def wait themselves non-blocking arriving stream enter leave background
async: connections chores interleaved outside allowed comprehension network
atom-identifiers: name variable lookup NameError undefined private class attribute two leading underscores mangled
atom-identifiers: renamed hidden clash spelling refers defined class-private prefix mention bound error typo unknown
atom-identifiers: misspelt prevent subclass conflict collide rewritten transformed secret protected accidental override
atom-identifiers: longer form changed behind back
atom-literals: constant written source number text bytes value object immutable evaluated directly fixed typed code
atom-literals: plain twice identity approximated
attribute-access: intercept reading setting deleting missing unknown field dot computed demand property descriptor
attribute-access: getattr setattr dir module slots save memory restrict metaclass subclass creation hook proxy delegate
attribute-access: managed validate set read-only dynamic fly forward object lazily spelled wrong default fallback lookup
attribute-access: calculated cached notation customise invoked absent magic getter exist trap catch refuse forbid
attribute-access: assigning new reusable less small instances room module-level deprecated names write removal wrapper
attribute-access: listing bypass class-body registered automatically told inherited generic class_getitem plain
attribute-access: dictionary per made-up spot nonexistent redirect record guard against misspelled
attribute-references: dot member field object AttributeError access obtain notation period reach grab property named
attribute-references: part attribute missing error looked lookup method
augassign: plus equals place update increment counter shorthand accumulate combined operator add existing bump shorten
augassign: writing arithmetic variable modify list original plus-equals increase decrease raise tally total running sum
augassign: abbreviated compact store evaluated in-place mutation changes two names append extend times multiply object
augassign: reused new string grow
await: wait result coroutine pause suspend finished awaitable inside async proceed meanwhile hold reply ready turn yield
await: control event loop outcome promise future slow operation download sleeping blocked
binary: arithmetic plus minus times divide quotient remainder modulo floor rounding sign division matrix multiply add
binary: subtract repeat concatenate calculate percent slash negative sums dot product text difference leftover
binary: whole-number infinity integer part fraction multiplying string list join glue two sequences zero even odd double
binary: average percentage minutes hours split coins fit leap
bitwise: bits xor flags mask set union intersection ampersand pipe caret toggle switch individual permissions combine
bitwise: test single exclusive overlap binary digits zeros bar hat merge rights stored number settings packed
bltin-code-objects: compiled source bytecode exec eval run string pre-compiled snippet piece code stored ready
bltin-code-objects: pseudo-compiled function body globals dunder attribute execute times later dynamic text program
bltin-code-objects: precompile formula typed user repeatedly
bltin-ellipsis-object: three dots placeholder literal singleton stand-in omitted dimensions implemented body
bltin-null-object: nothing null nil absence value missing returned function result comes back empty answer void
bltin-null-object: procedure singleton absent unknown placeholder emptiness
bltin-type-objects: object type check class value belongs names built-in int printed runtime sort
booleans: logical combine conditions short circuit stops evaluating operand returned default fallback negate tests first
booleans: truthy early yields true least reverse opposite flip false short-circuit lazily second part skipped non-empty
booleans: value blank chain truth exclusive guard settings nested shortcut
break: leave exit loop early stop inner nested abort search found bail looked cut short quit prematurely escape enough
break: rounds infinite endless nearest innermost clause executed skipped variable keeps last value interrupt iterating
break: success match
callable-types: instance behave function call parentheses object state usable invoke memory remembers operator round
callable-types: brackets stateful
calls: call invoke function pass arguments keyword positional name star unpack spread list dictionary extra order
calls: evaluated parentheses TypeError method hand missing expected collect asterisk two first routine values inputs
calls: position separate parameters double mixing twice multiple required unexpected result default omitted trailing
calls: comma match formal actual settings forwarded matters brackets
class: define blueprint inherit base parent subclass derive body decorator attribute shared instances object-oriented
class: metaclass template objects family relationship child several among keyword executed mould recipe kinds type
class: behave extend specialise multiple inheritance class variables versus per mutable default common methods runs
class: namespace bank account person shape tree behaviour ancestor
comparisons: equal less greater identity versus chain several range ordering NaN contains membership different types
comparisons: sort compare bigger smaller alike two lists contents object maths notation middle evaluated nan unequal
comparisons: nothing null check value names texts alphabetically dictionaries sets subset tuples element number
comparisons: incomparable mixed error lower upper limits test distinct rich comparison consistent reflexive symmetric
comparisons: bounds twins older younger
compound: blocks indentation try def class match case pattern structural switch destructure default coroutine group
compound: clause header branch shape data nesting one-liner several statements suites colon line control flow wildcard
compound: guard capture unpack decorators type hints dangling recognise message deconstruct meaning
context-managers: enter exit protocol write block set tear release lock open close resource even error suppress
context-managers: exception guaranteed tidying temporary change undone afterwards acquire swallow setup teardown clean
context-managers: object usable unlock connection borrowed handed back leaving called restore previous state
context-managers: automatically switch directory setting database transaction
continue: skip rest round next iteration loop jump ahead ignore item pass filter unwanted remaining steps straight entry
continue: back top cycle leave element stopping body unsuitable invalid records
conversions: mixed number types integer float complex promoted widened common result arithmetic automatically fractional
conversions: decimal calculation plus becomes coerced converted outcome mixture fraction
customization: constructor initialise create instance destructor delete finaliser printed representation text form
customization: debugging equality ordering hash dictionary key boolean truth sort class bytes format shows objects
customization: comparing usable called thrown nice developer initial values new set starting born destroyed dies clean
customization: displayed people console considered less rich comparisons truthiness angle-brackets ugly readable memory
customization: address meaningful content
debugger: step line breakpoint stop inspect variables stack frame crash post mortem watch commands interactive bug trace
debugger: pause halt freeze around values walk call execute next jump conditional program time hunt troubleshoot
debugger: post-mortem move continue return skip alias temporary expression list source running investigate pdb prompt
debugger: retry restart misbehaves interactively hold
del: delete remove name variable item slice attribute forget unbind drop throw longer exists element shrink erase rid
del: entry dictionary list part field free destroys position key cut unset
dict: curly braces key value pairs build comprehension literal duplicate merge unpack order mapping create write lookup
dict: table inline loop later wins directly two spreading double star last evaluation phone book word list translate
dict: count inventory
dynamic-features: eval exec string code executed run time free variable scope class body enclosing names resolved
dynamic-features: evaluated sees text compile local namespace function late binding value call print changed later
else: otherwise alternative branch matched nothing happened fallback conditions held last resort elif default path test
else: passes remaining cases
exceptions: errors handling propagate caller uncaught terminate program traceback matches identify wrong nobody catches
exceptions: bubble stack resumption selected class stops problems failing unhandled climbs interpreter exits crash model
exceptions: resume continue retry top instance message part api chosen flow interrupted division zero travels upward
exceptions: hierarchy
execmodel: program runs names scope block binding builtins nested functions class body local global UnboundLocalError
execmodel: exceptions handler termination resolution visible main module variable meant search order outer inner
execmodel: assignment referenced level hidden shadow code executed frames namespaces visibility lookup enclosing
execmodel: comprehension lifetime errors environment interpretation stages several places
exprlists: comma tuple several values trailing single element unpack star parentheses order evaluated lone pair brackets
exprlists: one-element packed spread list left right accidentally singleton grouped parenthesised
floating: decimal number written exponent scientific notation point underscores fraction literal powers ten digits
floating: grouping large tiny huge spelled real half 1.5 physics constants mantissa inexact
for: loop iterate element items sequence list counter range modify repeat visit characters lines keys repeated certain
for: number times index meanwhile finished leaving early walk traverse string file dictionary fixed process entries
for: changing removing skipped clause interruption variable afterwards unpack pairs action member group
formatstrings: number decimals width padding align left right thousands separator currency percentage leading zeros
formatstrings: hexadecimal braces placeholder template insert values date round sign fill digits text show money two
formatstrings: point line columns commas percent scientific binary nested position name repr curly literal doubled
formatstrings: layout places centre character zero-padded octal plus format specifier table field conversion f-string
formatstrings: report pretty printed output invoice amounts neat fill-in form letter
function: define def parameters default value mutable shared evaluated keyword-only positional-only variable number
function: arguments decorator annotation return type generic closure subroutine optional reusable piece code routine
function: inputs remembered runs list definition time force name wrap calls pitfall star amount hints sign nested
function: first-class stored passed around steps recipe procedure write leave parcel
global: change module variable inside function assign outer counter shared state local top file unchanged rewrite
global: module-wide top-level setting everywhere declare scope UnboundLocalError modifying stick total main part updated
global: helper
id-classes: underscore start end name convention private internal dunder soft keyword wildcard reserved mangling last
id-classes: result meaning leading trailing double interactive imported hidden single system-defined class star
id-classes: throw-away prompt shell translation gettext hands-off prefix protected
identifiers: characters letters digits allowed names reserved words keyword unicode accents case sensitive legal valid
identifiers: variable rule begin emoji foreign forbidden spelled upper lower distinguish illegal start number
identifiers: non-english umlaut greek case-sensitive length list soft match normalised look-alike contain space hyphen
if: choose decide branch condition otherwise conditional several cases elif depending alternatives test ternary run
if: holds possibilities else-if execution decision switch path checks first true wins among tree menu
imaginary: complex number suffix square root negative electrical engineering minus real part literal phasor quadratic
imaginary: solution
import: load module file name star relative dots alias submodule search found cached circular public future bring code
import: rename pull neighbouring parent folder twice executed exposes functions defined elsewhere sibling exported hide
import: namespace statement opt upcoming language features script reuse split program several libraries include
import: directory cost
in: contains membership element substring inside belongs identity present among occurs test list text part key exists
in: already absence lookup class word
integers: number written hexadecimal octal binary base underscores digits large leading zero unlimited size hex readable
integers: big grouping limit prefix 0x 0b 0o forbidden allowed arbitrarily huge overflow maximum literal separators
integers: thousands colour mask bits long legible
lambda: anonymous unnamed function line short inline expression callback key throwaway tiny nameless passed argument
lambda: sort criterion quick small def contain statements single second column rule
lists: square brackets build comprehension literal create empty filter transform collect results line nested matrix loop
lists: element evens inline map new list old doubled short
naming: name visible scope local enclosing binding unbound block import function class loop variable rules introduced
naming: lookup shadow hide deleted nested body invisible builtins overwrite undefined resolution region namespace
naming: parameter target comprehension free NameError unknown outside seen
nonlocal: change variable outer enclosing function closure nested inner counter rebind inside remember intermediate
nonlocal: modify surrounding state kept calls global factory returns rememberer
numbers: numeric constants integer float imaginary written negative minus values kinds sign part literals fractional
numbers: spelled types number source
numeric-types: class arithmetic operators plus minus times overload vector money reflected right hand in-place convert
numeric-types: int float index round behave number number-like operand swapped side absolute support vectors fractions
numeric-types: matrices type left complex truncation maths addable divide power unsupported NotImplemented added
numeric-types: multiplied scaled
objects: identity address type value mutable immutable garbage collection memory freed unreachable reference count cycle
objects: object container destroyed lifetime id two variables changes seen copy cleaned leak equal unchangeable tuple
objects: holding list cleanup timing inside names alias released recycle leftover explicit close file shared back
operator-summary: precedence priority first binds tighter order evaluated parentheses needed table associativity group
operator-summary: calculated brackets arithmetic strongest weakest left right operations stronger ranking ternary
operator-summary: conditional lambda comparison mixed expression mathematics rules chained multiplication addition
pass: nothing empty placeholder body stub written skeleton required statement leave blank later syntactically class
pass: no-op filler function ignore silently block now
power: exponent raise square cube double star root negative complex right associative binds nth two minus sign modulo
power: fraction float base tighter left asterisk modular result fractional third compound interest
raise: throw signal error exception deliberately re-raise cause chain context original hide trigger fail complain stop
raise: message reason attached pass translate purpose report failure refuse bad argument rethrow logging suppress
raise: earlier note additional details traceback abort custom wrong input explanation trouble class
return: back result value leave function early finally hand generator answer exit routine several nothing output quit
return: caller end stop middle
sequence-types: container class length index item iterate membership square brackets subscript len reversed missing key
sequence-types: slice behave list dictionary emulate object countable lookup delete elements loops collection list-like
sequence-types: dictionary-like access position assign default mapping sized estimated hint custom album shelf measured
sequence-types: picked
shifting: move bits left right multiply divide power two double halve sideways arrows angle brackets fast floor
slicings: part portion sequence start stop step colon cut piece sub list range first last second backwards omit ends
slicings: copy three section text stride reversed nth negative excerpt substring sub-list middle extended brackets drop
slicings: leading trailing five
specialattrs: name qualname dict bases mro subclasses class documentation introspect attribute object defined parents
specialattrs: hidden read-only qualified dunder ancestors method resolution order instance inherits children list
specialattrs: derived function text
specialnames: dunder double underscore methods operator overloading class hook language behaviour builtin protocol
specialnames: customise magic built-in syntax objects respond printing len iteration teach length compare add call index
specialnames: behave types creation metaclass lookup bypass instance set disable implicit plus square brackets
string-methods: split join strip trim whitespace upper lower case capitalise title replace substring count starts ends
string-methods: prefix suffix digits letters check pad centre fill lines encode translate characters remove words text
string-methods: test concatenate cut pieces commas capital small substitute occurrences position zeros tabs casefold
string-methods: compare ignoring table manipulation separator glue surrounding blanks spaces swap numeric alphabetic
string-methods: printable identifier left right justify splitlines bytes map delete case-insensitive German sharp
string-methods: percent formatting template partition three user input extension vowels shout lowercase endswith
strings: quotes single double triple multi-line escape backslash newline tab raw bytes prefix unicode f-string formatted
strings: literal embed expression adjacent concatenation long text marks apostrophe inside several lines path variables
strings: curly ascii code points letter spanning sequences regular windows emoji names debugging equals sign nested
strings: joined automatically broken sql paragraph
subscriptions: index square brackets element position key lookup negative item generic last fetch number counting end
subscriptions: pick first entry range types list[int] several tuple inside zero-based third newest cell
truth: counts true false empty zero falsy truthy condition boolean container object considered class decide values list
truth: string test comparing len emptiness check blank text
try: catch handle error exception failure cleanup always run finally several group crash recover protect risky code
try: anyway even return specific kinds original swallowed gracefully attempt fall back keep star clean afterwards matter
try: nothing went wrong re-raised variable deleted bare file missing program alive carry
types: built-in kinds hierarchy numbers sequences sets mappings callable module class file frame code traceback internal
types: standard overview types exist built generator method slice notimplemented values functions instances attributes
types: docstring defaults closure name integers booleans strings bytes singleton read-only special hidden catalogue
types: offers
typesfunctions: function object operation call built-in user-defined def two flavours values besides treat
typesmapping: dictionary key value lookup missing default setdefault update merge pop items order iterate views
typesmapping: insertion remove copy hash count word table fallback absent occurrences combine two loop changing oldest
typesmapping: newest remembered live pairs error newer wins last reversed shallow clear list phone book registry allowed
typesmapping: numbers equal true size membership address tally adding
typesmethods: bound method instance self function attribute attached set remember object assign passed automatically
typesmethods: class accessed underlying setting allowed automatic first argument receiver detached callback
typesmodules: module object namespace dictionary attributes symbol table holds contents set names outside loaded file
typesmodules: printed representation change variables modify settings
typesseq: list tuple range common operations length index count concatenate repeat slice min max membership sort
typesseq: immutable sequence create empty reuse nested compare join two inner problem smallest largest position
typesseq: occurrences pair arithmetic progression negative step item first minimum maximum contains multiply shared rows
typesseq: pitfall fixed hashable memory numbers build iterable grid matrix quadratic cost repeated biggest five
typesseq: countdown board
typesseq-mutable: list append insert remove pop extend reverse clear copy change place sort delete replace items add end
typesseq-mutable: front middle first last empty flip upside join part reorder duplicates shallow push several value
typesseq-mutable: position order assign slice repeat stack queue grow shrink returns waiting line shuffle swap wipe
unary: negative minus plus sign invert tilde complement single operand flip opposite number bits bad type zero
while: repeat loop long condition forever keep unknown number rounds holds changes times endless infinite polling asking
while: retry check user answer right guess
with: open file close automatically context manager block lock release resource cleanup several exception safely surely
with: afterwards parentheses variable clean even error guard line name setup teardown wrap statement enter exit order
with: borrowed handle tidying left shut
yield: generator produce values time lazily pause resume send sequence demand iterate large memory delegate coroutine
yield: infinite deliver bit remember stopped huge data storing pipeline push hand early cleanup building list save big
yield: function left position endless sub-generator stream file simple log rows little
""".strip()

# Groups of ordinary words that stand for one another in a question: each finds, for a share, what the others do.
SYNONYMS = """
add append attach put insert include join
alike same equal identical matching duplicate
alter change modify edit adjust update rewrite mutate
anonymous nameless unnamed
arrange order sort rank
ask query request inquire
automatic automatically unattended itself
avoid prevent stop forbid disallow refuse block deny ban
bad invalid wrong illegal faulty malformed broken incorrect
beginning start first front initial head
belong member contain inside within
big large huge enormous giant long
blank empty nothing missing absent lacking void
blanks spaces whitespace
block suite body
border edge boundary
bound limit range cap maximum
brace bracket parenthesis
break split cut chop divide separate slice
brief short concise compact terse shorthand
bring fetch get retrieve obtain grab load pull collect pick
browser web page site website
bug mistake fault defect error
build create construct make produce generate assemble
bundle pack package group combine wrap
busy overloaded load
call invoke run execute trigger fire launch start
caller client customer consumer visitor user
cancel abort quit terminate kill end stop halt leave exit
capital upper uppercase
case branch alternative option
catch handle trap intercept recover
change convert turn transform translate
characters letters text symbols
check verify test validate inspect examine ensure
choose select decide pick
clean tidy cleanup release free
clock time timer
collect gather accumulate sum
colour color coloured tint highlight
combine merge join concatenate glue unite mix blend
command instruction statement
compare equal versus differ
complain warn error report reject alert
computer machine system host
condition test if rule
connect link socket connection attach
constant fixed unchanging immutable frozen
contents body payload data
copy clone duplicate replicate
correct valid right proper legal
count number tally how-many total counter
crash fail failure blow die error exception
custom own user-defined home-made
data information payload content
date time day calendar
decimal fraction float point
declare define specify state announce
default fallback otherwise
delay wait pause sleep
delete remove erase drop discard throw strip eliminate forget
describe document explain
description documentation summary
developer programmer author maintainer
dictionary mapping map lookup table
different differ distinct unlike
directory folder path location place
discover find detect locate search spot
display show print render present output
docs documentation manual
double twice two
each every all
effect result outcome consequence
element item entry member piece part component
empty clear blank
end finish complete stop last final tail
enclosing outer surrounding
endpoint route url address path
entry row record
environment surroundings
error exception failure mistake problem fault trouble
evaluate compute calculate work-out
event notification message signal
exact precise precisely
examine inspect look peek
expect require need demand
expired outdated stale old
explain describe clarify
expose offer provide publish
extend enlarge grow lengthen add
extra additional more
failure fault outage breakdown error
fast quick rapid speedy quickly speed swift
field attribute property member
file document
fill pad
fix repair correct
flaky unreliable unstable transient temporary
flip reverse invert opposite backwards
follow trace track
forbid prohibit disallow reserved illegal
forever endless infinite indefinitely
format layout style appearance
function routine procedure subroutine callable method
garbage rubbish leftover unused
give hand pass supply provide deliver
global module-level shared everywhere
graph tree structure
guarantee ensure make-sure certain
guess detect sniff infer
hash digest fingerprint
hide conceal private secret suppress mask
hint annotation
hold keep store contain retain
hook callback plugin extension
idle waiting
ignore skip omit exclude
immediately instantly at-once
imitate emulate mimic mock fake
incoming received input arriving
increase increment bump raise
inherit derive subclass child
inner nested inside
input argument parameter
install setup set-up
interpreter runtime
invisible hidden
job task work chore
key name
kind type class sort
label name tag title
lack missing absent
language tongue
lazy lazily on-demand
leave exit quit return
length size long
letter character
library package module
lightweight small minimal
limit restrict cap throttle constrain
line row
link reference pointer url
listen serve server
log record
login sign-in authentication authenticate
loop iterate repeat cycle round traverse walk
lower small lowercase
machine computer server
manner way style
many several multiple lots numerous various
mark flag annotate label
match correspond fit conform
maths mathematics arithmetic
meaning sense semantics
measure meter gauge
message text note
middle inner centre
mistake error typo wrong bug
missing absent lacking undefined
name identifier label
negative minus
neat tidy clean pretty
newest latest recent modern
note comment remark
number numeric integer figure
object thing instance value
observe watch monitor see
obsolete outdated deprecated old legacy
old outdated previous former obsolete legacy older
omit leave-out skip exclude
opposite reverse negation negate
optional voluntary
order sequence arrangement
outside external foreign untrusted
pair two couple
parallel simultaneous concurrent side-by-side
parse read understand interpret analyse decode
part piece portion section fragment segment chunk
password secret credential key
pause suspend wait hold
permit allow let may
permitted allowed legal valid
picture image photo
piece part chunk bit
place position location spot slot index
plain simple bare
pleasant nice pretty
position index place rank offset
possible potential
powerful strong
prefix beginning
priority precedence
private secret hidden confidential
program application app script software
project repository
prompt ask
proof evidence prove verify
protect guard secure safe
prove verify demonstrate
push send
put place set store
quotes quotation
quotient division ratio
raise throw signal
random arbitrary
range interval span
raw plain bare
read load parse
ready prepared finished
reason cause why
receive get accept
reduce shrink shorten less
refer reference point
reject refuse deny
reliable robust resilient dependable
remember store keep cache retain memorise
remainder modulo leftover rest
remote distant network
rename alias
repeat again retry loop redo
replace substitute swap exchange
report tell announce message
request call ask
reserved forbidden keyword
rest remainder leftover remaining
result outcome value answer output
resume continue
return yield give-back
reuse share reusable
rights permission
risk danger risky dangerous
root base
round approximate
rule constraint condition
safe secure guarded protected
save store persist write
scope visibility visible namespace
script program file
search find look seek
secret password confidential
send transmit deliver dispatch submit
sentence text string words
separate split isolate apart
sequence series list
server backend service
shape structure form layout schema
shared common
shield protect
shorten abbreviate
show display reveal print
shrink reduce smaller
sign signature
silently quietly swallow
similar alike like
simple easy plain basic
simultaneously concurrently parallel
single one lone sole
size length amount
slow sluggish
small little tiny minimal short
smart intelligent clever
special magic
speed performance fast
spell write spelling
square power
stand represent
standard official specification norm
start begin launch
state condition status
stay remain keep
step stage
store save keep
strange odd weird unusual
stream flow feed
stubborn persistent
style look appearance
submit send post
subtract minus
suddenly unexpectedly
suffix ending
suitable appropriate proper
support handle
surprise unexpected
switch toggle
symbol sign character
table grid
tag label mark
tell show indicate say
temporary transient short-lived
terminal console shell
test check try
thread worker
tool utility program
tree hierarchy
try attempt
twice double duplicate
typed declared annotated
umlaut accent
unchanged intact untouched same
unknown unfamiliar undefined
unpack spread extract destructure expand
unusual rare odd
update refresh change
upload send
use apply employ
useful helpful
user person visitor
value content
variable name
variant version kind
version release edition
visible seen accessible
wait await hold
warn warning alert notice
whole entire complete integer
wide width
wish want
word term
work function
worth value
wrap surround enclose
write author type
wrong incorrect mistaken
""".strip()
