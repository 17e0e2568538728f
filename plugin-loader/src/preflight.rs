//! Looks at a library's bytes before the linker does. The linker answers a file that is cut off with a bus error, and
//! one for another machine with "No such file".

/// Says, for an operator, what keeps the bytes from being a shared library of this machine.
#[cfg(all(unix, not(target_vendor = "apple")))]
pub(crate) use elf::check;

/// Leaves the judgement to the linker where libraries are not ELF files.
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
pub(crate) fn check(_: &[u8]) -> Result<(), String> {
    Ok(())
}

#[cfg(all(unix, not(target_vendor = "apple")))]
mod elf {
    use object::{
        Endianness,
        elf::{
            DataEncoding, ELFCLASS32, ELFCLASS64, ELFDATA2LSB, ELFDATA2MSB, EM_386, EM_AARCH64, EM_ARM, EM_RISCV,
            EM_X86_64, ET_DYN, FileClass, FileHeader64, Machine, PT_DYNAMIC, PT_LOAD, SHT_NOBITS,
        },
        read::elf::{FileHeader, ProgramHeader, SectionHeader},
    };

    /// The machine this host runs on; `None` leaves the question to the linker.
    const OUR_MACHINE: Option<Machine> = if cfg!(target_arch = "x86_64") {
        Some(EM_X86_64)
    } else if cfg!(target_arch = "aarch64") {
        Some(EM_AARCH64)
    } else if cfg!(target_arch = "riscv64") {
        Some(EM_RISCV)
    } else {
        None
    };
    const OUR_CLASS: FileClass = if cfg!(target_pointer_width = "64") { ELFCLASS64 } else { ELFCLASS32 };
    const OUR_ENDIAN: DataEncoding = if cfg!(target_endian = "little") { ELFDATA2LSB } else { ELFDATA2MSB };

    /// Checks the identification, the machine, and that all parts lie inside the file.
    pub(crate) fn check(bytes: &[u8]) -> Result<(), String> {
        if !bytes.starts_with(b"\x7fELF") {
            return Err("is not a shared library; name the file that cargo builds".into());
        }
        let &[class, endian, ..] = bytes.get(4..).unwrap_or_default() else { return Err(cut_off(64, bytes)) };
        let (class, endian) = (FileClass(class), DataEncoding(endian));
        if class != OUR_CLASS {
            let (theirs, ours) = (bits(class), bits(OUR_CLASS));
            return Err(format!("is a {theirs} library, this host is {ours}; build it for this machine"));
        }
        if endian != OUR_ENDIAN {
            return Err("has the other byte order; build it for this machine".into());
        }
        if class == ELFCLASS64 { parts(bytes) } else { Ok(()) }
    }

    fn parts(bytes: &[u8]) -> Result<(), String> {
        let header = FileHeader64::<Endianness>::parse(bytes).map_err(|_| cut_off(64, bytes))?;
        let endian = header.endian().map_err(|error| error.to_string())?;
        let machine = header.e_machine(endian);
        if let Some(ours) = OUR_MACHINE.filter(|ours| *ours != machine) {
            let (theirs, ours) = (machine_name(machine), machine_name(ours));
            return Err(format!("is built for {theirs}, this host runs on {ours}; build it for this machine"));
        }
        if header.e_type(endian) != ET_DYN {
            return Err("is an object file or a program, not a shared library; build the crate as a cdylib".into());
        }
        let broken =
            |_| format!("has a broken or cut-off header table ({} bytes); copy or build it again", bytes.len());
        let segments = header.program_headers(endian, bytes).map_err(broken)?;
        for segment in segments {
            let (start, size) = segment.file_range(endian);
            inside(start, size, bytes)?;
        }
        let has = |kind| segments.iter().any(|segment| segment.p_type(endian) == kind);
        if !has(PT_LOAD) || !has(PT_DYNAMIC) {
            return Err("has nothing to link; build the crate as a cdylib".into());
        }
        // A stripped library may have no sections; those that are there must be whole.
        for section in header.section_headers(endian, bytes).map_err(broken)? {
            if section.sh_type(endian) != SHT_NOBITS {
                inside(section.sh_offset(endian), section.sh_size(endian), bytes)?;
            }
        }
        Ok(())
    }

    fn inside(start: u64, size: u64, bytes: &[u8]) -> Result<(), String> {
        let end = start.saturating_add(size);
        if end > bytes.len() as u64 { Err(cut_off(end, bytes)) } else { Ok(()) }
    }

    fn cut_off(expected: u64, bytes: &[u8]) -> String {
        format!("is cut off: it should have at least {expected} bytes and has {}; copy or build it again", bytes.len())
    }

    fn bits(class: FileClass) -> &'static str {
        match class {
            ELFCLASS32 => "32-bit",
            ELFCLASS64 => "64-bit",
            _ => "broken",
        }
    }

    fn machine_name(machine: Machine) -> String {
        match machine {
            EM_X86_64 => "x86_64".into(),
            EM_AARCH64 => "aarch64".into(),
            EM_RISCV => "riscv".into(),
            EM_386 => "x86".into(),
            EM_ARM => "arm".into(),
            other => format!("ELF machine {}", other.0),
        }
    }
}
