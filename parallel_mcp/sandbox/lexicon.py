"""The words that the search knows: data, no code.

People ask in other words than documents answer in. So each document is also found by everyday words that it need not
have: `GLOSSARY` gives them for a concept that a document's name, summary or keywords name, and `TOPICS` for each of
Python's reference topics, as the index of a book would. A line says what a thing is for; none is there for the sake of
one question. They are searched, never quoted.
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

# Concepts, any of them (between commas; all the words of one must be named): what people call them and want with them.
GLOSSARY = """
abstract syntax tree, ast: parsed program structure nodes grammar source code as data walk visit analyse transform
abstract syntax tree, ast: save load binary cache
abstract syntax tree, ast, bindings: exchange compact form between programs speed up checker tree nodes
accessibility: blind screen reader keyboard disability
agent, llm, language model, openai: chatbot assistant artificial intelligence ai gpt prompt completion conversation
agent, llm, language model, openai: generate answer text model reply tokens ask machine write talk converse question
agent, llm, language model, openai: summarise draft essay vendor hosted intelligent speech transcribe picture caption
algorithm: method procedure steps compute
annotation, hint, typing: declared kinds of variables arguments signature annotate types written beside names editor
annotation, hint, typing: autocomplete
api client, official api: hosted service endpoint account key call remote
archive, compression: zip tar gzip pack shrink unpack smaller
argument parser: options flags program start parameters
argument parser, command line interface, cli: typed words switches decorate function into program nested group colours
argument parser, command line interface, cli: password prompt confirm validation of what the user types completion
argument parser, command line interface, cli: arguments shell tool
array, matrix, numeric: numbers grid vector linear algebra calculation
asgi: interface between server and application workers reload development sockets lifespan put app online serve
asgi: traffic
asgi, wsgi: web server gateway host serve application deploy run production listen port process requests workers site
asgi, wsgi: backend
async, asyncio, trio, concurrency, concurrent: asynchronous coroutine event loop waiting many jobs same time parallel
async, asyncio, trio, concurrency, concurrent: simultaneously overlap background tasks nonblocking await
asyncio, trio: switch backend library agnostic cooperative scheduler nursery task group cancel scope deadline timeout
asyncio, trio: supervise children threads bridge sleep lock semaphore queue
atomic: all or nothing safe
audio, sound: music record play wave
authentication, login, oauth: sign in identity who user password session account permission
authentication, security: who are you allowed prove protect
automation: script by itself repetitive chores
backoff, retry: try again repeat attempt failing flaky unreliable temporary outage hiccup network call give up pause
backoff, retry: longer wait between persist transient error recover
backport, backported: brand new syntax features today old releases polyfill support several versions
backport, backported, experimental: older interpreter previous version newer features early ahead future compatible
backport, backported, experimental: stuck cannot upgrade
barcode: qr scan label
benchmark, profiling: measure speed time slow hot spot
binding, foreign function: call native compiled shared library from another language wrap c code header bridge link
binding, foreign function: system speak to dll so object speed low-level pointers memory struct
boilerplate: repetitive tedious code writing by hand initialiser constructor equality repr comparison fields shorter
boilerplate: record plain data holder
boilerplate, attrs: dull constructors printing comparing by hand record frozen slots convert validate generate dunder
boilerplate, attrs: automatically concise
browser: firefox chrome page click
build, packaging, package: distribution wheel release version dependency metadata requirement upload specifier compare
build, packaging, package: newest marker tag
cache: remember result reuse avoid recompute store temporary faster
calendar, datetime: date time day month timezone duration
capacity, rate limiting, throttling, rate limit: too many requests per second minute quota cap abuse slow down excess
capacity, rate limiting, throttling, rate limit: visitors calls often allowed window bucket protect overload fair use
capacity, rate limiting, throttling, rate limit: block ip
certificate, tls, ssl, trust: secure https handshake verify authority root company internal self-signed connection
certificate, tls, ssl, trust: encrypted keychain operating system
certificate, tls, trust: firewall authorities installed by administrator browser padlock bundle machine already knows
chart, plot: graph figure axis picture draw data
checker, static typing: catch mistakes early before anything runs editor prove consistent gradually large code base
checker, static typing: wrong kind passed
checker, type checker, static typing: find mistakes without running program types wrong argument mismatch before
checker, type checker, static typing: release verify annotations analyse editor gradual
class: object blueprint instance fields methods type record
cli, command line interface, toolkit command line: terminal shell program script options flags switches subcommands
cli, command line interface, toolkit command line: arguments parse prompt help usage user types enter console utility
cloud: hosted remote machines provider
codec, encoding: bytes text convert charset unicode
collection, container, data structure: list set dict map hold many items store group elements
color, terminal, rich text, console: pretty output coloured bold styled print screen shell tables columns spinner
color, terminal, rich text, console: progress long job logs emoji panel tree layout
commonmark, markdown: formatted plain text readme headings lists links emphasis convert html web page document render
commonmark, markdown: notes blog comments asterisks hashes writing turned into tags wiki typography article editor
compiler, mypyc, compile: translate native machine code faster speed ahead extension binary c
concurrency: juggle several things simultaneously side overlap
config, configuration, ini: settings file sections keys values options preferences read simple
config, ini: sections brackets equals lines file parsed legacy simple
constraint: limit range minimum maximum greater less positive length bounds restrict allowed values rule condition
constraint: bigger smaller between at least most longer shorter even multiple attached metadata vocabulary
container, collection: hold keep store group
context protocol, mcp: ai assistant tools server connect expose functions data resources prompts host client standard
context protocol, mcp: interface model plug in give access chatbot abilities actions discover chat call outside
continuous integration: pipeline build automatic every commit
cookie: browser remember session
cryptographic, cryptography: lock keep safe from eyes messages tamper sealed password derive exchange keys
cryptographic, cryptography: certificates x509
cryptographic, cryptography, encryption: encrypt decrypt secret cipher key hash sign signature certificate password
cryptographic, cryptography, encryption: protect confidential unreadable random secure hide scramble private public
cryptographic, cryptography, encryption: pair rsa aes digest
csv, spreadsheet: rows columns table comma excel
data validation, validation: check input untrusted outside foreign user supplied incoming correct shape types required
data validation, validation: missing wrong error report reject clean parse convert coerce conform rules dirty payload
data validation, validation: form mistakes every field guard boundary objects typed model
database: store persist records tables query save rows
debugger, debugging: find bug step pause inspect watch
decorator, wrapper: envelope stand-in pretend surround intercept logging timing without touching original keep name
decorator, wrapper, wrappers: wrap function around add behaviour before after call modify replace intercept proxy
decorator, wrapper, wrappers: transparent preserve signature
deprecate, deprecated, deprecation: old obsolete function retired removed future warn caller users replacement mark
deprecate, deprecated, deprecation: outdated phase out notice stop using
deprecate, deprecation: sunset announce going away discourage older name message developers migrate
detect, sniff: guess figure current which one am i under
detect, sniff, introspection, inspection, inspect: find out examine look which what kind discover determine running
detect, sniff, introspection, inspection, inspect: runtime ask
directory, dirs: folder place location path where save put files home per-user standard operating system windows mac
directory, dirs: linux cache logs config data
dirs, directory: proper hidden location home profile application save keep preferences downloads tidy conventions
distributed: several machines cluster nodes shared
distribution, packages, package: labels tags wheel filename parse sort releases requirement string canonical name
distribution, packages, package: newer older than satisfies
django, flask: web site framework views
dns, domain name, internationalized domain: host name internet address non-english letters accents umlauts foreign
dns, domain name, internationalized domain: script chinese arabic punycode ascii unicode website
docker: image run isolated deploy
domain name, internationalized: website spelled with foreign characters umlaut emoji browser convert ascii wire
dotenv, env: keep secrets out of repository passwords file beside project lines load startup
dotenv, env file: environment variables secrets settings local file load passwords api keys outside source code
dotenv, env file: deployment development
email: mail send message smtp inbox
environment variables: shell settings deploy configure process outside secret
event, sse: keep line open trickle news ticker live page without polling progress notify browsers
event, sse, server-sent: push updates live stream browser notify one way feed real time messages server to client
event, sse, server-sent: continuous
excel, pdf, word: office document pages
exception, error: failure problem crash wrong fault
file paths, path: files folders names tree location walk match
fixture, test, testing, unittest: check program works verify expected results assert failing run suite automatically
fixture, test, testing, unittest: regression correct quality confidence setup teardown
formatter: tidy layout style consistent spacing reformat indentation
framework: base structure build application foundation
functional: pure map filter compose
fuzzing, property-based: invent weird awkward data automatically hundreds of cases rule must always hold minimal
fuzzing, property-based: example breaks corner
fuzzing, property-based, property: random generated inputs examples edge cases surprising counterexample invariant
fuzzing, property-based, property: smallest failing shrink explore automatically try many values robustness
game: play sprite loop
geographic: map coordinates distance place
gitignore, pattern matching: ignore rules exclude files wildcard glob asterisk skip leave out include filter folder
gitignore, pattern matching: tree version control which belong match listing wildcards stars negate repository
gui: window button desktop
hash, checksum: fingerprint digest verify integrity
highlighting: pretty print listing tint tokens snippet article blog html terminal latex
highlighting, lexer: colour source code keywords strings comments programming languages display documentation page
highlighting, lexer: tokens themes coloured listing
html: web page markup browser tags
http client: fetch download web page send get post request response url call rest api remote server headers cookies
http client: timeout connection redirect talk to service pages upload sessions keep alive http/2 mock synchronous
http client: asynchronous modern replacement redirects authentication proxy pooled
http/1.1: parser state machine without sockets bring own network bytes in events out sans io
http/1.1, http: web protocol request response headers body connection wire bytes
image: picture photo resize crop
immutable, persistent: never changes copy cheap share old version kept frozen unchanged safe modify returns new
immutable, persistent: structure functional map list change gives one sharing intact history undo versions hash copies
immutable, persistent: structural
introspection: look inside reflect type hints origin unwrap qualifiers alias
json: data text payload serialise parse read load document object api exchange
json parser: quick text numbers partial incomplete decode rust
json parser, parser: read decode turn text into objects syntax tokens understand grammar fast
json referencing: pointer jump between documents shared definitions resolve link bundle
json referencing, referencing, reference: pointer link resolve follow other document part ref uri anchor definition
json referencing, referencing, reference: lookup registry
json schema: contract payload rulebook drafts complain list every violation required allowed pattern
json schema, schema: describe allowed shape structure of documents required properties types check conform
json schema, schema: specification draft instance rules
json web token: badge proof carried header verify nobody tampered expiry issuer audience log in stateless browser api
json web token: claims
json web token, jwt, token: login session signed claims stateless expiry bearer header issue verify user identity
json web token, jwt, token: secret expire authorise sign in ticket
key-value: remember quickly share among processes network queue lock counter expiry message broker session memory
key-value, redis: in-memory store cache server queue counter shared between processes publish subscribe expire set get
key-value, redis: remember session fast database
kubernetes: cluster pods deploy
linter: style mistakes code quality unused imports bad practice warn rules automatically fix check source tidy
linter: conventions bugs nitpick clean wrong order sort replaces several tools quick formatter beautify
localization, translation: language locale translate
log, logging: record messages diagnose write
low-level, minimal: bare essential small building block few features foundation under hood transport connection pool
machine learning, neural: train model predict classify
meta-schema, vocabularies: official definition drafts bundled specification
monkey patching: replace alter existing code at runtime third party change behaviour without editing swap out someone
monkey patching: else's while running
multipart: upload file form submitted attachment picture browser post body stream chunks memory piece large photo
multipart: posted through page piecewise decode fields visitor
network, networking, socket: connection port internet tcp server client bytes wire protocol
next generation: modern successor replacement improved newer
node, javascript: isolate per project interpreter npm separate several versions activate
node, javascript, npm: web frontend runtime versions isolated separate project
opentelemetry, telemetry: watch what happens live find slow path through microservices timing context propagate
opentelemetry, telemetry: exporter counters baggage
opentelemetry, telemetry, tracing: observe monitor production trace spans metrics measure follow request across
opentelemetry, telemetry, tracing: services slow vendor neutral instrument dashboards diagnose performance distributed
orm: objects database tables mapping
package manager: one program replace many installers fast lock sync interpreter download run scripts tools publish
package manager: workspace
package manager, project manager: install dependencies lock pin resolve virtual environment interpreter versions
package manager, project manager: replace pip fast project create add remove requirements reproducible tool
parallel: many cores processors same time split work
parser, parsing: turn text into structure grammar understand source read
platform: operating system windows mac linux differences portable each differently
plugin, hook: extension addon extend third party callback register extensible customise modular call implementations
plugin, hook: let others add my program without changing it hooks specification discover entry points all
process, subprocess: start program run command child
progress: percentage how far bar remaining
property-based, testing: trust robustness
protocol: rules exchange messages standard wire
pure: no dependencies compiled nothing else portable
pydantic: model class typed fields validation
queue, broker: jobs later background worker message
rate limiting: customers hammer abuse slow refuse at most per minute hour sliding window counters fixed memory shared
rate limiting: quotas exceeded api fairness
regular expression: pattern text search match
reliability, production: robust outage fault tolerant resilience failure recover
repository, version control: commits branch history
retry: flaky hiccup stubborn persevere until works attempts wait random jitter stop after exponential decorator
rich text, terminal: beautiful eye candy emphasise borders boxes live updating dashboards readable tracebacks
router, routing: path url dispatch handler
runtime: while running execution support live program
runtime library: support routines compiled modules helper internals
rust: fast compiled native speed memory safe systems language quick
schema, specifications: official built-in known drafts ready
scrape: pages website extract
search: find text index rank
security: protect attack safe secret
serialization: dump convert save dict bytes text output export out write
settings: configuration options preferences application values environment file defaults override deployment secrets
settings: typed deploy twelve-factor overrides nested prefix
signing: signature verify tamper authentic proof
sniff: smell
sorted: order ordered ascending kept rank position smallest largest range insert bisect search quickly between nearest
sorted: stay in always ranked leaderboard next higher lower binary thousands fast insertion duplicates median schedule
specification: standard official definition
starlette: web framework asgi
starlette, library asgi: routes pages uploads cookies forms templates middleware cors endpoints background tasks
stream, streaming: piece by gradually incremental without loading all memory chunks
stream, streaming, server-sent: bit by little arrives
syntax: grammar language source code rules
table: rows columns grid
template: placeholder fill page text
test, testing: assert functions parametrise temporary folder discover collect report plugins confidence nothing broke
thread: parallel lock shared
type hint: gain from annotations declared automatically
type system: types generics structural protocol advanced
typing: generics protocol literal overload
url: web address link parse components encode query host escape percent pieces scheme normalise
user data: per-user application files
utilities, utility: helper functions common
uuid: unique identifier random
video: film frames
virtual environment: isolated separate project own versions apart sandbox side by without conflict global install
warning: notice alert message developer
web framework, library asgi: website backend api pages routes endpoints requests responses middleware websocket build
web framework, library asgi: service handlers session static files test background lightweight
websocket: two way live connection push chat
wire types: message definitions payload models only without server
wsgi: gateway
xml: tags document tree
yaml, toml: configuration text file
""".strip()

# Label of a reference topic: what people call it and want with it.
TOPICS = """
assert: sanity check condition must hold claim expectation debugging AssertionError switched off optimised test
assert: assumption make sure guarantee invariant stop the program if untrue optimisation flag debug message
assignment: give value to name variable equals sign bind several at once unpack swap tuple target star rest store set
assignment: chained put result annotated declare type field item attribute left side label point refer two values
assignment: without temporary same object names walrus destructure first and remaining
async: asynchronous function define coroutine loop over awaited items with block concurrent suspend event context
async: manager iterator non blocking server concurrency cooperative declare
atom-identifiers: name variable lookup NameError undefined private class attribute two leading underscores mangled
atom-identifiers: renamed hidden clash spelling refers not defined class-private prefix
atom-literals: constant written in source number text bytes value same object immutable evaluated directly
attribute-access: intercept reading setting deleting missing unknown field dot computed on demand property descriptor
attribute-access: getattr setattr dir module slots save memory restrict fields metaclass subclass creation hook proxy
attribute-access: delegate managed validate set read-only dynamic made up the fly forward to another object lazily
attribute-access: spelled wrong default fallback into lookup calculated cached validated
attribute-references: dot member field of object AttributeError dotted access obtain
augassign: plus equals in place update increment counter shorthand accumulate combined operator add to existing bump
augassign: shorten writing arithmetic own variable modify list original
await: wait for result of coroutine pause suspend until finished awaitable inside async let others proceed meanwhile
await: hold on
binary: arithmetic plus minus times divide quotient remainder modulo floor rounding sign whole division matrix
binary: multiply add subtract repeat concatenate calculate percent slash down negative sums dot product text
bitwise: bits and or xor flags mask set union intersection ampersand pipe caret toggle switch individual permissions
bitwise: masks combine sets
bltin-code-objects: compiled source bytecode compile exec eval run string pre-compiled snippet
bltin-ellipsis-object: three dots placeholder dot
bltin-null-object: nothing null nil absence no value missing returned by function without result comes back return
bltin-null-object: empty answer
bltin-type-objects: kind of object find out type check class ask what an is
booleans: and or not logical combine conditions short circuit stops evaluating which operand returned default fallback
booleans: negate both either neither tests first truthy early yields instead of true
break: leave exit loop early stop out of inner nested abort search found bail what i looked for cut short
callable-types: make instance behave like a function call with parentheses callable object functor used state
calls: call invoke function pass arguments keyword positional by name star unpack spread list dictionary extra order
calls: evaluated parentheses TypeError method hand over into too many missing expected collect asterisk two asterisks
calls: first
class: define blueprint inherit base parent subclass derive body decorator attribute shared between instances own
class: object-oriented metaclass template for objects kind of thing family relationship child several parents among
class: all keyword executed
comparisons: equal less greater same identity is versus equality chain several between range ordering NaN contains
comparisons: membership None different types sort compare bigger smaller alike two lists contents very object chained
comparisons: maths notation middle evaluated once nan unequal nothing null check
compound: blocks indentation if while for try with def class match case pattern matching structural switch destructure
compound: default coroutine group clause header branch on shape of data nesting one-liner several headers
context-managers: enter exit protocol write own with block set up tear down release lock open close resource even
context-managers: after error suppress exception guaranteed tidying temporary change undone afterwards acquire swallow
context-managers: errors
continue: skip rest of this round next iteration loop jump ahead ignore item pass over filter unwanted
conversions: mixed number types integer float complex promoted widened common result arithmetic mix and automatically
customization: constructor initialise create instance destructor delete finaliser printed representation text form
customization: debugging equality ordering hash dictionary key boolean truth sort own class bytes format what print
customization: shows objects comparing equal usable as called when created thrown away nice developer initial values
debugger: step through line by breakpoint stop inspect variables stack frame crash post mortem watch commands
debugger: interactive find bug trace pause halt freeze look around values after walk up call execute next jump
debugger: conditional
del: delete remove name variable item slice attribute forget unbind take away drop throw out no longer exists element
del: shrink
dict: curly braces key value pairs build comprehension literal duplicate keys merge unpack order mapping create write
dict: lookup table inline from loop later wins
dynamic-features: eval exec string code executed at run time free variable scope class body enclosing names resolved
dynamic-features: see evaluated as sees which variables
else: otherwise alternative branch none matched only if nothing happened fallback
exceptions: errors handling propagate up caller uncaught terminate program traceback handler which one matches how
exceptions: work identify what happens when something goes wrong nobody catches bubble stack resumption handlers
exceptions: selected by class stops
execmodel: how program runs names scope block binding builtins nested functions class body local global
execmodel: UnboundLocalError exceptions handler termination resolution visible main module which variable is meant
execmodel: where search order outer inner before assignment referenced level function hidden shadow
exprlists: comma makes tuple several values trailing single element unpack star parentheses order evaluated lone pair
exprlists: of without
floating: decimal number written exponent scientific notation point underscores fraction literal decimals powers of
floating: ten digits grouping
for: loop over iterate each element items sequence list counter range modify while looping else repeat go through
for: visit one characters lines keys repeated certain number of times count index meanwhile finished without leaving
for: early
formatstrings: number decimals width padding align left right thousands separator currency percentage leading zeros
formatstrings: hexadecimal braces placeholder template insert values date round sign fill digits text show money two
formatstrings: after the point line up columns pad commas between percent scientific binary nested placeholders by
formatstrings: position or name repr
function: define def parameters default value mutable shared evaluated once keyword-only positional-only variable
function: number of arguments decorator annotation return type generic closure subroutine optional reusable piece code
function: own routine inputs remembered between runs list definition time force by name any annotations decorate wrap
global: change module variable inside function assign outer counter shared state not local at top of file unchanged
global: rewrite
id-classes: underscore at start or end of name convention private internal dunder soft keyword wildcard reserved
id-classes: mangling last result meaning leading trailing double interactive not imported hidden
identifiers: which characters letters digits allowed in names reserved words keyword unicode accents case sensitive
identifiers: legal valid variable name rule may begin with digit emoji foreign forbidden spelled naming rules upper
identifiers: lower distinguish
if: choose decide branch condition otherwise conditional several cases elif depending on do one thing or another
if: alternatives test ternary
imaginary: complex number j suffix square root negative electrical engineering
import: load module package another file name star relative dots from as alias submodule search found cached circular
import: all public names future bring in code other files rename pull everything neighbouring parent folder twice only
import: once executed what exposes
in: contains membership element substring is inside belongs identity same it there present among find occurs
integers: whole number written hexadecimal octal binary base underscores digits large leading zero unlimited size hex
integers: readable big numbers grouping how can be no limit
lambda: anonymous unnamed function one line short inline expression callback key throwaway tiny nameless passed as
lambda: argument sort criterion
lists: square brackets build comprehension literal create empty filter transform collect results make from another in
lists: one line nested matrix squares
naming: where a name is visible scope local enclosing binding unbound block import function class loop variable rules
naming: introduced lookup which names shadow hide deleted introduces
nonlocal: change variable of outer enclosing function closure nested inner counter rebind inside remember count
nonlocal: intermediate
numbers: numeric constants integer float imaginary written negative minus write values kinds sign not part
numeric-types: own class arithmetic operators plus minus times overload vector money reflected right hand in-place
numeric-types: convert int float index round behave like number number-like make and work operand swapped other side
numeric-types: absolute
objects: identity address type value mutable immutable garbage collection memory freed unreachable reference count
objects: cycle same object container destroyed lifetime id two variables thing changes seen through both copy when
objects: cleaned leak cycles equal unchangeable tuple holding list
operator-summary: precedence priority which first binds tighter order evaluated parentheses needed table associativity
operator-summary: group what is calculated brackets arithmetic not and or strongest weakest left to right grouping
pass: do nothing empty placeholder body stub not yet written skeleton required statement leave blank for later
pass: syntactically does class
power: exponent raise to square cube double star root negative complex right associative binds the nth squared cubed
power: two stars minus sign before modulo fraction
raise: throw signal error own exception deliberately re-raise cause from chain context original hide trigger fail
raise: complain stop with message reason attached pass on same again translate
return: give back result value leave function early finally hand generator none answer exit routine several results
return: nothing
sequence-types: own container class length index item iterate membership square brackets subscript len reversed
sequence-types: missing key slice behave like list dictionary emulate make object indexable iterable countable contain
sequence-types: lookup slices delete elements loops
shifting: move bits left right multiply divide power of two double halve sideways
slicings: part portion of sequence start stop step colon cut piece sub list range first last every second backwards
slicings: omit ends copy three without
specialattrs: name qualname dict bases mro subclasses class documentation introspect attribute object where defined
specialattrs: its parents
specialnames: dunder double underscore methods operator overloading own class hook language behaviour builtin protocol
specialnames: customise magic into built-in syntax make my objects respond to operators printing len iteration
specialnames: underscores
string-methods: split join strip trim whitespace upper lower case capitalise title replace find substring count starts
string-methods: ends prefix suffix digits letters check pad centre fill lines encode translate characters remove words
string-methods: text test concatenate cut pieces commas together both capital small substitute occurrences look for
string-methods: position with only zeros tabs casefold compare ignoring table of
strings: quotes single double triple multi-line escape backslash newline tab raw bytes prefix unicode f-string
strings: formatted literal embed expression adjacent concatenation long text quotation marks apostrophe inside several
strings: lines path backslashes without escaping variables curly ascii code points letter r b f u
subscriptions: index square brackets element at position key lookup negative item generic last fetch one by number or
subscriptions: counting from end bracket
truth: what counts as true or false empty zero none falsy truthy condition if boolean container no when is an object
truth: considered own class decide
try: catch handle error exception failure cleanup always run finally else except several group crash recover protect
try: risky code anyway even on return specific kinds at once only when no original swallowed
types: built-in kinds hierarchy none numbers sequences sets mappings callable module class file frame code traceback
types: internal standard overview which types exist everything that exists built in generator method slice
types: notimplemented
typesfunctions: function object operation call built-in user-defined def what functions are
typesmapping: dictionary key value lookup missing default get setdefault update merge pop items keys values order
typesmapping: iterate views insertion remove copy hash count word to table fallback when absent occurrences combine
typesmapping: two loop while changing take out oldest newest remembered live
typesmethods: bound method instance self function attribute attached set on of an remember object assign
typesmodules: module object namespace dictionary attributes symbol table what a holds contents
typesseq: list tuple range common operations length index count concatenate repeat slice min max membership sort
typesseq: immutable sequence create empty reuse nested compare join two lists same inner problem smallest largest
typesseq: position occurrences pair arithmetic progression negative step
typesseq-mutable: list append insert remove pop extend reverse clear copy change in place sort delete replace items
typesseq-mutable: add end put at front middle take out first last empty flip upside down join others part reorder
typesseq-mutable: duplicates shallow
unary: negative minus plus sign invert tilde not complement single operand flip opposite
while: repeat loop as long condition until forever else keep going unknown number of rounds
with: open file close automatically context manager block lock release resource cleanup several exception safely
with: surely closed afterwards at once parentheses variable as
yield: generator produce values one at a time lazily pause resume send sequence on demand iterate large memory
yield: delegate from coroutine infinite deliver bit by remember where it stopped huge data without storing pipeline
yield: push in hand over to another stop early cleanup
""".strip()
