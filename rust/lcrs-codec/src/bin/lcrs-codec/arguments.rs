//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lcrs_core::Limits;

use crate::failure::Failure;
use crate::pictures::color;

pub(crate) const USAGE: &str = "\
usage: lcrs-codec encode PICTURE -o OUT.lcrs [-q QUALITY|--lossless] [--no-lossless]
                         [--model NAME|FILE] [--background COLOR] [--to-8bit] [--keep-exif]
                         [--force] [LIMITS]
       lcrs-codec encode CLOUD.ply -o OUT.lcrs [--voxel SIZE|--bits N] [--keep-duplicates]
                         [--drop NAME]... [--model NAME|FILE] [--force] [LIMITS]
       lcrs-codec decode IN.lcrs -o PICTURE [--format FORMAT] [--model NAME|FILE] [--force]
                         [--allow-other-synthesis] [LIMITS]
       lcrs-codec info IN.lcrs [--json] [LIMITS]
       lcrs-codec verify IN.lcrs|MODEL.lcrm [--model NAME|FILE] [LIMITS]
       lcrs-codec models

encode   compresses a picture: PNG, JPEG, TIFF, WebP, PNM (PPM, PGM) or BMP. EXIF orientation is
         applied, colour profile and resolution are kept; EXIF, XMP and IPTC that are not are
         named. Where no model is named, the picture is kept to the bit if that file is no larger
         than the default model's, as of text and screenshots it mostly is. Or
         compresses a point cloud in a PLY file of any properties: whole coordinates and those on a
         grid are kept as they are, attributes to the bit. The order of points is not kept
decode   restores a picture: png, ppm, pgm, tif, webp (lossless), jpg or bmp; a point cloud: ply
info     says what is in an .lcrs file, without its model
verify   checks all of an .lcrs file by decoding it, or all of an .lcrm package
models   says where models are looked for, and what is there (also: --models)

For IN, - stands for standard input, for OUT for standard output.

  -o, --output OUT          where to write; never over an existing file without --force, never over
                            the input, and never in place of what is no regular file
  -q, --quality QUALITY     0 (smallest) to 100 (best), for models of variable rate; default 50
      --lossless            keep the picture to the bit; that needs no model
      --no-lossless         use the model, whatever the size; so it is where one is named
      --model NAME|FILE     the model's name, or its .lcrm package; default: photo-2 to encode, of
                            points geometry; what IN names to decode
      --background COLOR    flatten transparency on this colour: white, #102030
      --to-8bit             round 16-bit components to 8 bits
      --keep-exif           keep camera data, place and time included
      --voxel SIZE          round the positions of points to voxels of this size
      --bits N              round them to N bits, 1 to 32, along the longest side
      --keep-duplicates     keep points that are where another one is
      --drop NAME           leave an attribute of points out; all for all of them
      --format FORMAT       what to write where the ending of OUT does not say it; default png for
                            what is no file
      --force               replace OUT if it exists, write to a terminal
      --json                print one JSON object
      --allow-other-synthesis  decode with a model that shows other pixels than the encoder meant
      --max-pixels N        refuse larger pictures; default 2^28
      --max-bytes N         memory that coding may hold beside the model; default 2^31
  -h, --help, -V, --version

Models are looked for by the name inside them, in *.lcrm of the folders of LCRS_MODEL_PATH, of
../share/lcrs/models and of the program's own folder, and of lcrs/models in XDG_DATA_HOME
(~/.local/share) and XDG_DATA_DIRS (/usr/local/share, /usr/share).

LCRS_NUM_THREADS (1 to 1024) and LCRS_SIMD (scalar, avx2, avx512, neon) choose how to run, never what
comes out.

Results go to standard output, messages of one line to standard error.
Exit codes: 0 done, 1 failed, 2 wrong usage, 128 + N ended by signal N.
";

/// What a command was given; which of it a command takes is checked by [`parse`].
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub input: PathBuf,
    pub output: PathBuf,
    pub format: Option<String>,
    pub model: Option<OsString>,
    pub quality: Option<f64>,
    /// Whether pictures are kept to the bit; where that is no larger, if nothing is said.
    pub lossless: Option<bool>,
    pub background: Option<[u8; 3]>,
    pub to_8bit: bool,
    pub keep_exif: bool,
    pub is_forced: bool,
    pub is_json: bool,
    pub allows_other_synthesis: bool,
    /// Of point clouds.
    pub voxel: Option<f64>,
    pub bits: Option<u32>,
    pub keep_duplicates: bool,
    pub drop: Vec<String>,
    pub limits: Limits,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Version,
    Models,
    Info(Arguments),
    Decode(Arguments),
    Encode(Arguments),
    Verify(Arguments),
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

/// The commands, as messages list them.
const COMMANDS: &str = "encode, decode, info, verify or models";

/// The options that a command takes.
fn options(verb: &str) -> Option<&'static [&'static str]> {
    match verb {
        "encode" => Some(&[
            "output",
            "model",
            "force",
            "quality",
            "lossless",
            "no-lossless",
            "background",
            "to-8bit",
            "keep-exif",
            "voxel",
            "bits",
            "keep-duplicates",
            "drop",
            "max-pixels",
            "max-bytes",
        ]),
        "decode" => Some(&["output", "model", "force", "format", "allow-other-synthesis", "max-pixels", "max-bytes"]),
        "info" => Some(&["json", "max-pixels", "max-bytes"]),
        "verify" => Some(&["model", "max-pixels", "max-bytes"]),
        "models" => Some(&[]),
        _ => None,
    }
}

/// What the Python program has in addition, by the verb there.
const ELSEWHERE: [(&str, &[&str]); 3] = [
    (
        "encode",
        &[
            "frame",
            "to-srgb",
            "keep-metadata",
            "scale",
            "target-bpp",
            "target-size",
            "target-psnr",
            "recursive",
            "jobs",
            "skip-existing",
            "keep-times",
            "keep-endings",
            "quiet",
            "runtime",
            "device",
        ],
    ),
    ("decode", &["max-side", "recursive", "jobs", "skip-existing", "keep-times", "quiet", "runtime", "device"]),
    ("info", &["recursive", "model"]),
];

/// The error for an option that a command does not take.
fn unexpected(verb: &str, name: &str, argument: lexopt::Arg<'_>) -> Failure {
    let has = |(theirs, options): &(&str, &[&str])| *theirs == verb && options.contains(&name);
    if ELSEWHERE.iter().any(has) {
        return Failure::Usage(format!("--{name} is not here: lcrs {verb} has it"));
    }
    argument.unexpected().into()
}

/// Reads the command line.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Command, Failure> {
    use lexopt::Arg::{Long, Short, Value};
    let verb = match parser.next()? {
        Some(Short('h') | Long("help")) => return Ok(Command::Help),
        Some(Short('V') | Long("version")) => return Ok(Command::Version),
        Some(Long("models")) => "models".to_owned(),
        Some(Value(verb)) => verb.to_string_lossy().into_owned(),
        Some(other) => return Err(other.unexpected().into()),
        None => return Err(Failure::Usage(format!("a command is needed: {COMMANDS}"))),
    };
    let Some(legal) = options(&verb) else {
        return Err(Failure::Usage(format!("unknown command '{verb}' ({COMMANDS})")));
    };
    let (mut arguments, mut inputs, mut output) = (Arguments::default(), Vec::new(), None);
    while let Some(argument) = parser.next()? {
        let name = match &argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('o') => "output",
            Short('q') => "quality",
            Long(name) => name,
            Value(_) | Short(_) => "",
        };
        match legal.iter().find(|option| **option == name) {
            Some(&"output") => output = Some(filled("-o", parser.value()?)?),
            Some(&"model") => arguments.model = Some(filled("--model", parser.value()?)?),
            Some(&"format") => arguments.format = Some(parser.value()?.to_string_lossy().into_owned()),
            Some(&"quality") => arguments.quality = Some(number(&parser.value()?)?),
            Some(&"lossless") => arguments.lossless = Some(true),
            Some(&"no-lossless") => arguments.lossless = Some(false),
            Some(&"background") => arguments.background = Some(background(&parser.value()?)?),
            Some(&"to-8bit") => arguments.to_8bit = true,
            Some(&"keep-exif") => arguments.keep_exif = true,
            Some(&"voxel") => arguments.voxel = Some(size(&parser.value()?)?),
            Some(&"bits") => arguments.bits = Some(bits(&parser.value()?)?),
            Some(&"keep-duplicates") => arguments.keep_duplicates = true,
            Some(&"drop") => arguments.drop.push(parser.value()?.to_string_lossy().into_owned()),
            Some(&"force") => arguments.is_forced = true,
            Some(&"json") => arguments.is_json = true,
            Some(&"max-pixels") => arguments.limits.max_pixels = count("--max-pixels", &parser.value()?)?,
            Some(&"max-bytes") => arguments.limits.max_bytes = count("--max-bytes", &parser.value()?)?,
            Some(_) => arguments.allows_other_synthesis = true,
            None => match argument {
                Value(input) => inputs.push(filled("the input", input)?),
                other => return Err(unexpected(&verb, name, other)),
            },
        }
    }
    if verb == "models" {
        return match inputs.first() {
            Some(input) => Err(Failure::Usage(format!("models takes no input, '{}' is one", input.to_string_lossy()))),
            None => Ok(Command::Models),
        };
    }
    if arguments.lossless == Some(true) {
        let of_models = [
            ("-q", arguments.quality.is_some()),
            ("--voxel", arguments.voxel.is_some()),
            ("--bits", arguments.bits.is_some()),
            ("--model", arguments.model.is_some()),
        ];
        if let Some((option, _)) = of_models.iter().find(|(_, is_given)| *is_given) {
            return Err(Failure::Usage(format!("--lossless keeps all to the bit: {option} does not go with it")));
        }
    }
    arguments.input = single(&verb, inputs)?;
    match output {
        Some(output) => arguments.output = output.into(),
        None if legal.contains(&"output") => return Err(Failure::Usage(format!("{verb} needs -o OUT"))),
        None => {}
    }
    Ok(match verb.as_str() {
        "info" => Command::Info(arguments),
        "decode" => Command::Decode(arguments),
        "encode" => Command::Encode(arguments),
        _ => Command::Verify(arguments),
    })
}

fn single(verb: &str, mut inputs: Vec<OsString>) -> Result<PathBuf, Failure> {
    match (inputs.pop(), inputs.len()) {
        (Some(input), 0) => Ok(input.into()),
        (None, _) => Err(Failure::Usage(format!("{verb} needs an input file"))),
        (Some(_), more) => Err(Failure::Usage(format!("{} input files are given, {verb} takes one", more + 1))),
    }
}

fn filled(what: &str, text: OsString) -> Result<OsString, Failure> {
    if text.is_empty() {
        return Err(Failure::Usage(format!("{what} is empty, a name is needed")));
    }
    Ok(text)
}

fn number(text: &OsString) -> Result<f64, Failure> {
    let number = text.to_str().and_then(|text| text.parse().ok());
    number
        .filter(|quality| (0.0..=100.0).contains(quality))
        .ok_or_else(|| Failure::Usage(format!("quality is '{}' (0 to 100)", text.to_string_lossy())))
}

fn size(text: &OsString) -> Result<f64, Failure> {
    let number = text.to_str().and_then(|text| text.parse().ok());
    number.filter(|size: &f64| size.is_finite() && *size > 0.0).ok_or_else(|| {
        Failure::Usage(format!("voxel size is '{}', which is no number above 0", text.to_string_lossy()))
    })
}

fn bits(text: &OsString) -> Result<u32, Failure> {
    let number = text.to_str().and_then(|text| text.parse().ok()).filter(|bits| (1..=32).contains(bits));
    number.ok_or_else(|| Failure::Usage(format!("bits are '{}' (1 to 32)", text.to_string_lossy())))
}

fn count(option: &str, text: &OsString) -> Result<u64, Failure> {
    let digits = text.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok()).filter(|number| (1..=MAX_COUNT).contains(number));
    number.ok_or_else(|| {
        Failure::Usage(format!("{option} is '{}', which is not a whole number from 1 on", text.to_string_lossy()))
    })
}

/// What the Python program takes at most, too.
const MAX_COUNT: u64 = (1 << 62) - 1;

fn background(text: &OsString) -> Result<[u8; 3], Failure> {
    text.to_str().and_then(color::parse).ok_or_else(|| {
        let text = text.to_string_lossy();
        Failure::Usage(format!("background is '{text}', which is no colour: white and #102030 are"))
    })
}
