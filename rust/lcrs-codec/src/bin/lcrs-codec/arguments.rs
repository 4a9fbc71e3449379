//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::Arg::{Long, Short, Value};

use crate::Failure;

pub(crate) const USAGE: &str = "\
usage: lcrs-codec info IN [--json]
       lcrs-codec decode IN -o OUT.png|OUT.ppm [--model FILE] [--force] [--allow-other-synthesis]
       lcrs-codec encode IN.png|IN.ppm -o OUT [-q QUALITY] --model FILE|NAME [--force]
       lcrs-codec verify IN [--model FILE]

info     says what is in a .lcrs file, without its model
decode   restores the picture of a .lcrs file
encode   compresses an 8-bit picture; an ICC profile is kept, EXIF is not
verify   checks all of a .lcrs file by decoding it, or all of a .lcrm package

  -o, --output FILE         where to write; never over an existing file without --force
  -q, --quality QUALITY     0 to 100, for models of variable rate
      --model FILE|NAME     the model package; else NAME.lcrm from the folders in LCRS_MODEL_PATH
      --force               write over an existing file
      --json                print one JSON object
      --allow-other-synthesis  decode with a model that shows other pixels than the encoder meant

LCRS_SIMD (scalar, avx2, avx512, neon) and LCRS_NUM_THREADS choose how to run, never what comes out.
Exit codes: 0 done, 1 failed, 2 wrong usage.
";

/// What a command was given; which of it a command takes is checked by [`parse`].
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub input: PathBuf,
    pub output: Option<PathBuf>,
    pub model: Option<OsString>,
    pub quality: Option<f64>,
    pub is_forced: bool,
    pub is_json: bool,
    pub allows_other_synthesis: bool,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Version,
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

/// The options that a command takes.
fn options(verb: &str) -> Option<&'static [&'static str]> {
    match verb {
        "info" => Some(&["json"]),
        "decode" => Some(&["output", "model", "force", "allow-other-synthesis"]),
        "encode" => Some(&["output", "model", "force", "quality"]),
        "verify" => Some(&["model"]),
        _ => None,
    }
}

/// Reads the command line.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Command, Failure> {
    let verb = match parser.next()? {
        Some(Short('h') | Long("help")) => return Ok(Command::Help),
        Some(Short('V') | Long("version")) => return Ok(Command::Version),
        Some(Value(verb)) => verb.to_string_lossy().into_owned(),
        Some(other) => return Err(other.unexpected().into()),
        None => return Err(Failure::Usage("a command is needed: info, decode, encode or verify".to_owned())),
    };
    let Some(legal) = options(&verb) else {
        return Err(Failure::Usage(format!("unknown command '{verb}' (info, decode, encode or verify)")));
    };
    let (mut arguments, mut inputs) = (Arguments::default(), Vec::new());
    while let Some(argument) = parser.next()? {
        let name = match &argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('o') => "output",
            Short('q') => "quality",
            Long(name) => name,
            Value(_) | Short(_) => "",
        };
        match legal.iter().find(|option| **option == name) {
            Some(&"output") => arguments.output = Some(parser.value()?.into()),
            Some(&"model") => arguments.model = Some(parser.value()?),
            Some(&"quality") => arguments.quality = Some(number(&parser.value()?)?),
            Some(&"force") => arguments.is_forced = true,
            Some(&"json") => arguments.is_json = true,
            Some(_) => arguments.allows_other_synthesis = true,
            None => match argument {
                Value(input) => inputs.push(input),
                other => return Err(other.unexpected().into()),
            },
        }
    }
    arguments.input = single(inputs)?;
    if legal.contains(&"output") && arguments.output.is_none() {
        return Err(Failure::Usage(format!("{verb} needs -o OUT")));
    }
    Ok(match verb.as_str() {
        "info" => Command::Info(arguments),
        "decode" => Command::Decode(arguments),
        "encode" => Command::Encode(arguments),
        _ => Command::Verify(arguments),
    })
}

fn single(mut inputs: Vec<OsString>) -> Result<PathBuf, Failure> {
    match (inputs.pop(), inputs.len()) {
        (Some(input), 0) => Ok(input.into()),
        (None, _) => Err(Failure::Usage("an input file is needed".to_owned())),
        (Some(_), more) => Err(Failure::Usage(format!("{} input files, one is needed", more + 1))),
    }
}

fn number(text: &OsString) -> Result<f64, Failure> {
    let number = text.to_str().and_then(|text| text.parse().ok());
    number
        .filter(|quality| (0.0..=100.0).contains(quality))
        .ok_or_else(|| Failure::Usage(format!("quality is '{}' (0 to 100)", text.to_string_lossy())))
}
